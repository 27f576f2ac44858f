"""A window of budadmin: what it sends, in which form, and what it makes of the answers."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import httpx

from tests.peers.notification_centre import SECONDS, NotificationCentre

Json = dict[str, Any]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

ORIGIN = "http://localhost:3000"
"""Where the frontend is served; budapp is another origin."""

REJECTED = {400, 409, 422, 500}
"""The page is told of these; others are shown as a toast, and the page gets nothing."""

QUIET = ("/benchmark/node-configurations", "/models/top-leaderboards", "/adapters")


class Refused(Exception):
    """A page is told that its request failed; the text is what it shows."""


class Window:
    """A window with one person in it.

    Attributes:
        storage: what the browser keeps.
        toasts: what was shown beside the page.
        calls: each request's method and path, in order, without the repetitions after a refresh.
    """

    def __init__(self, api: httpx.AsyncClient, notifications: str) -> None:
        self.storage: dict[str, str] = {}
        self.toasts: list[str] = []
        self.calls: list[str] = []
        self._api = api
        self._notifications = notifications
        self._centre: NotificationCentre | None = None
        self._refreshing = asyncio.Lock()
        self._preflighted: set[tuple[str, str]] = set()

    async def get(self, path: str, *, project_id: str | None = None, **query: Any) -> Json:
        """Read; a query parameter that is None is left out, and a list is repeated."""
        return await self.send("GET", path, query=query, project_id=project_id)

    async def post(self, path: str, body: Any = None, *, project_id: str | None = None) -> Json:
        return await self.send("POST", path, body=body, project_id=project_id)

    async def put(self, path: str, body: Any, *, project_id: str | None = None) -> Json:
        return await self.send("PUT", path, body=body, project_id=project_id)

    async def patch(self, path: str, body: Any) -> Json:
        return await self.send("PATCH", path, body=body)

    async def delete(self, path: str) -> Json:
        return await self.send("DELETE", path)

    async def send_form(
        self, method: Method, path: str, form: Mapping[str, str], files: Mapping[str, tuple[str, bytes]]
    ) -> Json:
        """Send what is typed, and files, as a form."""
        parts: Any = {name: (None, value) for name, value in form.items()} | dict(files)
        return await self.send(method, path, files=parts)

    async def send(
        self,
        method: Method,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        files: Any = None,
        project_id: str | None = None,
    ) -> Json:
        """Send a request, once more with fresh tokens after a 401.

        What only a toast is shown for returns nothing.

        Raises:
            Refused: the page is told that it failed; or the person has to sign in again.
        """
        self.calls.append(f"{method} {path}")
        given = {name: value for name, value in (query or {}).items() if value is not None}
        headers = {"Origin": ORIGIN}
        if project_id is not None:
            headers |= {"x-resource-type": "project", "x-entity-id": project_id}
        if files is not None:
            headers["Accept"] = "multipart/form-data"
        await self._preflight(method, path, headers)
        content: Json = {"files": files} if files is not None else {"json": body} if body is not None else {}

        async def once() -> httpx.Response:
            signed = {"Authorization": f"Bearer {self.storage['access_token']}"} if self.storage else {}
            return await self._api.request(method, path, params=given, headers=headers | signed, **content)

        used = self.storage.get("access_token")
        answer = await once()
        if answer.status_code == 401:
            await self._refresh(used)
            answer = await once()
        assert answer.headers.get("access-control-allow-origin") == ORIGIN, f"{method} {path} can't be read there"
        return self._outcome(answer)

    def _outcome(self, answer: httpx.Response) -> Json:
        body: Json = answer.json()
        if answer.is_success:
            return body
        text = _message(body)
        if answer.status_code in REJECTED:
            raise Refused(text)
        if not any(path in answer.url.path for path in QUIET):
            self.toasts.append(text)
        return {}

    async def _preflight(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        """Ask first, as browsers do from another origin."""
        if (method, path) in self._preflighted:
            return
        names = ["authorization", "content-type", *(name for name in headers if name.startswith("x-"))]
        asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": ",".join(names)}
        answer = await self._api.request("OPTIONS", path, headers={"Origin": ORIGIN, **asked})
        assert answer.is_success, f"preflight of {method} {path}: {answer.status_code} {answer.text}"
        assert method in answer.headers["access-control-allow-methods"]
        allowed = answer.headers["access-control-allow-headers"].lower()
        assert all(name in allowed for name in names), f"{method} {path}: only {allowed} are allowed"
        self._preflighted.add((method, path))

    async def _refresh(self, used: str | None) -> None:
        """Get fresh tokens once, however many requests wait for them."""
        async with self._refreshing:
            if self.storage.get("access_token") != used:
                return
            body = {"refresh_token": self.storage.get("refresh_token")}
            answer = await self._api.post("/auth/refresh-token", json=body, headers={"Origin": ORIGIN})
            self.calls.append("POST /auth/refresh-token")
            if not answer.is_success:
                self.storage.clear()
                raise Refused("Sign in again")
            self._keep(answer.json())

    def _keep(self, body: Json) -> None:
        self.storage |= {name: body["token"][name] for name in ("access_token", "refresh_token")}

    async def sign_in(self, email: str, password: str) -> Json:
        """Send the form of the first page, and return the answer.

        Raises:
            Refused: nobody is signed in; says what the page shows.
        """
        body = {"email": email, "password": password, "user_type": "admin"}
        answer = await self.post("/auth/login", body)
        if not answer:
            raise Refused(self.toasts[-1])
        self._keep(answer)
        return answer

    async def sign_out(self) -> None:
        """Leave; what comes of it is not looked at."""
        await self.post("/auth/logout", {"refresh_token": self.storage["refresh_token"]})
        self.storage.clear()

    async def open_page(self) -> Json:
        """Ask what every page asks; return the person."""
        user: Json = (await self.get("/users/me"))["user"]
        permissions = (await self.get("/users/me/permissions"))["permissions"]
        assert all({"rsid", "rsname", "scopes"} <= one.keys() for one in permissions)
        await self.get("/workflows", order_by="-modified_at")
        if self._centre is None:
            self._centre = await NotificationCentre(self._notifications, user["id"]).open()
        await self._centre.get("/organization")
        await self._centre.get("/notifications/unseen", limit=100)
        await self._centre.get("/notifications/unread", limit=100)
        return user

    async def hears(self, seconds: float = SECONDS) -> Json:
        """Return the next notification that the socket brings, or raise `TimeoutError`."""
        assert self._centre is not None, "no page is open"
        shown: Json = (await self._centre.hears("notification_received", seconds))["message"]["payload"]
        return shown

    async def close(self) -> None:
        if self._centre is not None:
            await self._centre.close()


def _message(body: Json) -> str:
    """Return what is shown of a failure."""
    detail = body.get("detail")
    if isinstance(detail, Sequence) and not isinstance(detail, str):
        return "; ".join(str(one.get("msg")) for one in detail)
    return str(detail or body.get("message"))
