"""Whatever is changed in whatever order: a replica that remembers its callers says what the database says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from budapp.commons.scopes import GLOBAL_SCOPES, ROLE_GRANTABLE
from budapp.main import create_app
from budapp.project_ops.schemas import MEMBER_SCOPES
from budapp.user_ops.callers import Callers
from tests.cast import PASSWORD, Cast, Person
from tests.permissions.people import assign, make_role
from tests.projects import data
from tests.users import test_users as users

HEARD_WITHIN_SECONDS = 3

grants = st.tuples(st.just("grant"), st.sampled_from(GLOBAL_SCOPES), st.booleans())
memberships = st.tuples(st.just("member"), st.sampled_from(MEMBER_SCOPES), st.booleans())
built_in = st.tuples(st.just("role"), st.sampled_from(["developer", "tester", "devops", "admin"]), st.just(True))
custom = st.tuples(st.just("custom"), st.sampled_from([0, 1, None]), st.just(True))
contents = st.tuples(st.just("scopes"), st.sampled_from([0, 1]), st.frozensets(st.sampled_from(ROLE_GRANTABLE)))
CHANGES = st.tuples(st.sampled_from([0, 1]), st.one_of(grants, memberships, built_in, custom, contents))


@pytest.fixture(scope="session")
async def replicas(settings: Settings, migrated: None) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Two replicas that remember callers and hear of each other's changes, and one that asks the database each time."""
    remembering = [create_app(settings) for _ in range(2)]
    apps = [*remembering, create_app(settings.model_copy(update={"caller_cache_seconds": 0}))]
    listening = [asyncio.create_task(components_of(app)[Callers].listen()) for app in remembering]
    clients = [client_of(app) for app in apps]
    yield clients
    for task in listening:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    for client, app in zip(clients, apps, strict=True):
        await client.aclose()
        await components_of(app).close()


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://replica.test")


class World:
    """Somebody whose rights change, a project and two custom roles; all by way of the API."""

    def __init__(self, cast: Cast, subject: Person, project_id: str, roles: list[str]) -> None:
        self.cast, self.subject, self.project_id, self.roles = cast, subject, project_id, roles

    async def change(self, by: httpx.AsyncClient, kind: str, what: Any, value: Any) -> httpx.Response:
        admin, user_id = self.cast.admin, self.subject.id
        granted: list[dict[str, Any]] = [{"name": what, "has_permission": value}]
        match kind:
            case "grant":
                return await by.put(f"/permissions/{user_id}/global", json=granted, headers=admin.headers)
            case "member":
                there = [{"user_id": str(user_id), "project_id": self.project_id, "permissions": granted}]
                return await by.patch("/permissions/project", json=there, headers=admin.headers)
            case "role":
                return await by.patch(f"/users/{user_id}", json={"role": what}, headers=admin.headers)
            case "custom":
                return await assign(by, admin, user_id, None if what is None else self.roles[what])
        body = {"scopes": sorted(value)}
        return await by.patch(f"/roles/{self.roles[what]}", json=body, headers=admin.headers)

    async def seen_by(self, replica: httpx.AsyncClient) -> Any:
        answer = await replica.get("/users/me/permissions", headers=self.subject.headers)
        assert answer.status_code == 200
        return answer.json()["permissions"]


@pytest.fixture
async def world(client: httpx.AsyncClient, cast: Cast) -> World:
    user = await users.create(client, cast)
    login = await client.post("/auth/login", json={"email": user["email"], "password": PASSWORD})
    subject = Person(UUID(user["id"]), cast.tenant_id, user["email"], login.json()["token"])
    project = await data.create(client, cast.admin)
    roles = [await make_role(client, cast.admin, name, "model:view") for name in ("First", "Second")]
    return World(cast, subject, project["id"], [role["id"] for role in roles])


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(CHANGES, min_size=1, max_size=8))
async def test_what_is_remembered_is_what_the_database_says(
    replicas: list[httpx.AsyncClient], world: World, changes: list[tuple[int, tuple[str, Any, Any]]]
) -> None:
    *remembering, asking = replicas
    for replica in remembering:
        await world.seen_by(replica)
    for by, change in changes:
        answer = await world.change(remembering[by], *change)
        assert answer.status_code in {200, 400}, answer.text
        truth = await world.seen_by(asking)
        assert await world.seen_by(remembering[by]) == truth
        assert await heard(world, remembering[1 - by], truth)


async def heard(world: World, replica: httpx.AsyncClient, truth: Any) -> bool:
    """Tell whether the replica says the truth within less than the time that it remembers callers anyway."""
    for _ in range(HEARD_WITHIN_SECONDS * 100):
        if await world.seen_by(replica) == truth:
            return True
        await asyncio.sleep(0.01)
    return False
