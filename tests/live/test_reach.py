"""Every event comes to exactly those who may read what it is about, as the reads have it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
from uuid_utils.compat import uuid7

from budapp.commons.announcing import Announced
from budapp.commons.database import Base, Database
from budapp.commons.domain import components_of
from budapp.events.notify import notify_users
from budapp.model_ops.models import Model
from budapp.user_ops.callers import Callers
from budapp.user_ops.models import User
from budapp.workflow_ops.models import Workflow
from tests.cast import Cast, Person
from tests.live.client import Listener, listening
from tests.live.conftest import Live
from tests.projects.data import add, cluster_row, create, endpoint_row, join

Reads = Callable[[Person], Awaitable[bool]]


@dataclass
class Scene:
    client: httpx.AsyncClient
    cast: Cast
    database: Database
    project_id: str

    def reads(self, path: str) -> Reads:
        async def read(person: Person) -> bool:
            return (await self.client.get(path, headers=person.headers)).status_code == 200

        return read


def model_row(person: Person, **fields: Any) -> Model:
    values = {
        "name": f"llama-{uuid7()}",
        "modality": [],
        "source": "openai",
        "provider_type": "url",
        "uri": "u",
        **fields,
    }
    return Model(id=uuid7(), tenant_id=person.tenant_id, created_by=person.id, supported_endpoints=[], **values)


async def _endpoint(scene: Scene) -> tuple[str, Reads]:
    model = model_row(scene.cast.developer, uri=str(uuid7()))
    await add(scene.database, model)
    row = endpoint_row(scene.project_id, scene.cast.developer, model_id=model.id)
    await add(scene.database, row)
    return str(row.id), scene.reads(f"/endpoints/{row.id}/history")


async def _cluster(scene: Scene) -> tuple[str, Reads]:
    row = cluster_row(scene.cast.manager, "c")
    await add(scene.database, row)
    return str(row.id), scene.reads(f"/clusters/{row.id}")


async def _model(scene: Scene) -> tuple[str, Reads]:
    row = model_row(scene.cast.manager)
    await add(scene.database, row)
    return str(row.id), scene.reads(f"/models/{row.id}")


async def _workflow(scene: Scene) -> tuple[str, Reads]:
    owner = {"tenant_id": scene.cast.tenant_id, "created_by": scene.cast.developer.id}
    row = Workflow(id=uuid7(), workflow_type="local_model_onboarding", title="T", total_steps=1, **owner)
    await add(scene.database, row)
    async with scene.database.write() as session:
        found = await session.get_one(Workflow, row.id)
        found.current_step, found.progress = 1, {"steps": [{"id": "s", "title": "S", "payload": {}}]}
    return str(row.id), scene.reads(f"/workflows/{row.id}")


async def _notification(scene: Scene) -> tuple[str, Reads]:
    message = {"type": "deployment_success", "title": "t", "message": "m"}
    async with scene.database.write() as session:
        await notify_users(session, aggregate="a", subscriber_ids=[scene.cast.developer.id], **message)  # type: ignore[arg-type]
    listed = await scene.client.get("/notifications", headers=scene.cast.developer.headers)
    told: str = listed.json()["notifications"][0]["id"]

    async def read(person: Person) -> bool:
        answer = await scene.client.get("/notifications", headers=person.headers)
        return told in [each["id"] for each in answer.json()["notifications"]]

    return told, read


MAKE: dict[str, Callable[[Scene], Awaitable[tuple[str, Reads]]]] = {
    "endpoint": _endpoint,
    "cluster": _cluster,
    "model": _model,
    "workflow": _workflow,
    "notification": _notification,
}


def announced() -> dict[str, set[str]]:
    """Return the events of each type of object that some table announces."""
    says = [getattr(mapper.class_, "announced", None) for mapper in Base.registry.mappers]
    return {each.object_type: each.events() for each in says if isinstance(each, Announced)}


def has_all(object_id: str, types: set[str], listener: Listener) -> bool:
    return {each.type for each in listener.happened if each.object_id == object_id} == types


def test_every_type_of_object_is_tried() -> None:
    assert MAKE.keys() == announced().keys()


async def test_events_come_to_those_who_may_read(
    client: httpx.AsyncClient, cast: Cast, database: Database, live: Live
) -> None:
    project = (await create(client, cast.manager))["id"]
    await join(database, project, cast.developer, scopes=("endpoint:view",))
    await join(database, project, cast.tester, scopes=("project:view",))
    scene = Scene(client, cast, database, project)
    people = {
        name: getattr(cast, name)
        for name in ("admin", "manager", "developer", "tester", "client", "other_admin", "other_developer")
    }
    async with AsyncExitStack() as stack:
        streams = {
            name: await stack.enter_async_context(listening(live.port, person.headers))
            for name, person in people.items()
        }
        for object_type, make in MAKE.items():
            made, read = await make(scene)
            may = {name for name, person in people.items() if await read(person)}
            assert may, object_type
            for name in may:
                await streams[name].until(partial(has_all, made, announced()[object_type]))
            told = {name for name, found in streams.items() if any(e.object_id == made for e in found.happened)}
            assert told == may, object_type


async def test_whoever_leaves_a_project_is_told_nothing_more_of_it(
    client: httpx.AsyncClient, cast: Cast, database: Database, live: Live
) -> None:
    project = (await create(client, cast.manager))["id"]
    await join(database, project, cast.developer)
    async with (
        listening(live.port, cast.developer.headers, "?type=endpoint") as member,
        listening(live.port, cast.manager.headers, "?type=endpoint") as manager,
    ):
        await add(database, endpoint_row(project, cast.developer))
        await member.until(lambda found: found.happened)
        leaving = {"user_ids": [str(cast.developer.id)]}
        path = f"/projects/{project}/remove-users"
        assert (await client.post(path, json=leaving, headers=cast.manager.headers)).status_code == 200
        await add(database, endpoint_row(project, cast.manager))
        await manager.until(lambda found: len(found.happened) == 2)
        await asyncio.sleep(0.1)
        assert len(member.happened) == 1
        missed = member.last_id
    async with listening(live.port, cast.developer.headers, "?type=endpoint", missed) as again:
        assert again.happened == []

    await join(database, project, cast.developer)
    async with listening(live.port, cast.developer.headers, "?type=endpoint", missed) as once_more:
        assert len(once_more.happened) == 1


async def test_a_role_that_is_taken_away_shows_at_once(
    client: httpx.AsyncClient, cast: Cast, database: Database, live: Live
) -> None:
    async with (
        listening(live.port, cast.developer.headers, "?type=cluster") as developer,
        listening(live.port, cast.manager.headers, "?type=cluster") as manager,
    ):
        await add(database, cluster_row(cast.manager, "one"))
        await developer.until(lambda found: found.happened)
        body = {"role": "tester"}
        answer = await client.patch(f"/users/{cast.developer.id}", json=body, headers=cast.admin.headers)
        assert answer.status_code == 200, answer.text
        await add(database, cluster_row(cast.manager, "two"))
        await manager.until(lambda found: len(found.happened) == 2)
        await asyncio.sleep(0.1)
        assert len(developer.happened) == 1
    again = {"role": "developer"}  # in Keycloak too, where the account outlives the test
    assert (await client.patch(f"/users/{cast.developer.id}", json=again, headers=cast.admin.headers)).is_success


async def test_who_has_set_no_password_yet_is_told_nothing(cast: Cast, live: Live) -> None:
    async with listening(live.port, cast.invited.headers) as refused:
        assert refused.status == 403


async def test_who_has_to_set_a_password_again_is_told_nothing_more(cast: Cast, database: Database, live: Live) -> None:
    async with (
        listening(live.port, cast.developer.headers) as found,
        listening(live.port, cast.manager.headers) as other,
    ):
        async with database.write() as session:
            (await session.get_one(User, cast.developer.id)).status = "invited"
        await components_of(live.app)[Callers].forget(cast.developer.id)
        await add(database, cluster_row(cast.manager, "unseen"))
        await other.until(lambda it: it.happened)
        await asyncio.sleep(0.1)
        assert found.happened == []
