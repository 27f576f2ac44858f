"""What people do on two replicas, and what must hold of the answers while a dependency fails."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx

from tests.cast import PASSWORD, Cast, Person
from tests.replicas import Replica

SLOWEST_SECONDS = 18
"""A request's deadline, and some time for a busy machine."""

_UNAVAILABLE = {502, 503}


@dataclass(frozen=True)
class Action:
    """A thing that people do, in so many requests: the status that it answers, or else 502 or 503."""

    name: str
    status: int
    run: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]
    requests: int = 1


@dataclass
class Traffic:
    """Does everything on every replica, again and again, and keeps what was wrong.

    Attributes:
        created: the names of the projects whose creation was acknowledged.
        problems: answers that must not be given, and answers that came too late.
        answers: how often each action got each status.
    """

    replicas: Sequence[Replica]
    cast: Cast
    dataset_id: str
    created: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    _numbers: "count[int]" = field(default_factory=count)

    async def during(self, seconds: float) -> None:
        """Go on for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await asyncio.gather(self.round(), asyncio.sleep(0.2))

    async def until_well(self, seconds: float) -> None:
        """Go on until everything succeeds on every replica; what has not by then is a problem."""
        until = time.monotonic() + seconds
        while ill := await self.round():
            if time.monotonic() > until:
                self.problems.append(f"still failing {seconds} s later: {', '.join(sorted(ill))}")
                return
            await asyncio.sleep(0.5)

    async def round(self) -> set[str]:
        """Do everything once on every replica at the same time; return what did not succeed."""
        tries = [self._try(action, replica) for action in self._actions() for replica in self.replicas]
        return {name for name in await asyncio.gather(*tries) if name}

    async def lost(self) -> list[str]:
        """Return the acknowledged projects that are not there exactly once."""
        there: Counter[str] = Counter()
        page = pages = 1
        while page <= pages:
            query = {"page": page, "limit": 100}
            answer = await self.replicas[0].http.get("/projects/", params=query, headers=self.cast.admin.headers)
            pages, page = answer.json()["total_pages"], page + 1
            there.update(item["project"]["name"] for item in answer.json()["projects"])
        return [name for name in self.created if there[name] != 1]

    async def _try(self, action: Action, replica: Replica) -> str | None:
        started = time.monotonic()
        try:
            answer = await action.run(replica.http)
        except httpx.HTTPError as problem:
            self.problems.append(f"{action.name}: {problem!r}")
            return action.name
        took = time.monotonic() - started
        self.answers[action.name, answer.status_code] += 1
        if answer.status_code not in {action.status, *_UNAVAILABLE}:
            self.problems.append(f"{action.name}: {answer.status_code} {answer.json().get('message')}")
        if took > SLOWEST_SECONDS * action.requests:
            self.problems.append(f"{action.name}: took {took:.1f} s")
        return None if answer.status_code == action.status else action.name

    def _actions(self) -> list[Action]:
        return [
            Action("health", 200, lambda http: http.get("/livez")),
            Action("readiness", 200, lambda http: http.get("/readyz")),
            Action("own account", 200, lambda http: http.get("/users/me", headers=self.cast.developer.headers)),
            Action("forged token", 401, lambda http: http.get("/users/me", headers=self._forged())),
            Action("new project", 200, self._create_project),
            Action("sign-in", 200, lambda http: self._sign_in(http, self.cast.manager, PASSWORD)),
            Action("wrong password", 400, lambda http: self._sign_in(http, self.cast.tester, "Wrong-Horse-1")),
            Action("new session, renewed", 200, self._renew, requests=2),
            Action("upload", 200, self._upload, requests=2),
        ]

    def _forged(self) -> dict[str, str]:
        head, body, _ = str(self.cast.admin.tokens["access_token"]).split(".")
        _, _, signature = str(self.cast.other_admin.tokens["access_token"]).split(".")
        return {"Authorization": f"Bearer {head}.{body}.{signature}"}

    async def _create_project(self, http: httpx.AsyncClient) -> httpx.Response:
        name = f"Project {next(self._numbers)}"
        answer = await http.post("/projects/", json={"name": name}, headers=self.cast.admin.headers)
        if answer.is_success:
            self.created.append(name)
        return answer

    async def _sign_in(self, http: httpx.AsyncClient, person: Person, password: str) -> httpx.Response:
        return await http.post("/auth/login", json={"email": person.email, "password": password})

    async def _renew(self, http: httpx.AsyncClient) -> httpx.Response:
        answer = await self._sign_in(http, self.cast.manager, PASSWORD)
        if not answer.is_success:
            return answer
        token: Any = answer.json()["token"]["refresh_token"]
        return await http.post("/auth/refresh-token", json={"refresh_token": token})

    async def _upload(self, http: httpx.AsyncClient) -> httpx.Response:
        headers, path = self.cast.admin.headers, f"/datasets/{self.dataset_id}/versions"
        answer = await http.post(path, headers=headers)
        if not answer.is_success:
            return answer
        number = answer.json()["version"]["number"]
        body = {"file_name": "rows.csv", "size": 5}
        return await http.post(f"{path}/{number}/uploads", json=body, headers=headers)
