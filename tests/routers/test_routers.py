"""Routers: endpoints of a project under one name."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from budapp.endpoint_ops.models import Endpoint
from budapp.project_ops.models import Project
from tests.cast import Cast, Person
from tests.endpoints.conftest import MakeEndpoint, MakeProject
from tests.statements import Statements


@pytest.fixture
async def project(make_project: MakeProject) -> Project:
    return await make_project()


@pytest.fixture
async def endpoints(project: Project, make_endpoint: MakeEndpoint) -> list[Endpoint]:
    return [await make_endpoint(name, project.id) for name in ("one", "two", "three")]


def body_of(project: Project, *targets: dict[str, Any], **fields: Any) -> dict[str, Any]:
    about = {"project_id": str(project.id), "name": "Chat", "description": "All", "endpoints": list(targets)}
    return {**about, **fields}


def target(endpoint: Endpoint, *fallbacks: Endpoint, **limits: Any) -> dict[str, Any]:
    return {"endpoint_id": str(endpoint.id), "fallback_endpoint_ids": [str(one.id) for one in fallbacks], **limits}


async def post(client: httpx.AsyncClient, person: Person, body: dict[str, Any]) -> httpx.Response:
    return await client.post("/routers/", json=body, headers=person.headers)


async def listed(client: httpx.AsyncClient, person: Person, project: Project, query: str = "") -> dict[str, Any]:
    answer = await client.get(f"/routers/?project_id={project.id}{query}", headers=person.headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_router_is_made_listed_replaced_and_deleted(
    client: httpx.AsyncClient, cast: Cast, project: Project, endpoints: list[Endpoint], statements: Statements
) -> None:
    one, two, three = endpoints
    limits = {"tpm": 0.0, "rpm": 0.0, "weight": 1.0, "cool_down_period": 0}
    strategy = [{"name": "fallback"}]
    tags = [{"name": "prod", "color": "#E57333"}]
    body = body_of(project, target(one, two, **limits), target(two, weight=1), routing_strategy=strategy, tags=tags)
    answer = await post(client, cast.developer, body)
    assert answer.status_code == 201, answer.text
    router = answer.json()["result"]
    assert router["endpoints"][0] == target(one, two, **limits)
    assert (router["tags"], router["routing_strategy"], router["project_id"]) == (tags, strategy, str(project.id))
    await listed(client, cast.developer, project)
    statements.clear()
    found = await listed(client, cast.developer, project, "&search=true&name=CHA")
    assert len(statements) == 3
    assert (found["total_record"], found["routers"]) == (1, [router])
    changed = body_of(project, target(three, one), target(one), name="Talk")
    answer = await client.put(f"/routers/{router['id']}", json=changed, headers=cast.developer.headers)
    assert answer.status_code == 200, answer.text
    assert [row["endpoint_id"] for row in answer.json()["result"]["endpoints"]] == [str(three.id), str(one.id)]
    [after] = (await listed(client, cast.developer, project))["routers"]
    assert after == answer.json()["result"]
    assert (after["endpoints"][1]["weight"], after["endpoints"][1]["tpm"], after["tags"]) == (None, None, None)
    answer = await client.delete(f"/routers/{router['id']}", headers=cast.developer.headers)
    assert answer.status_code == 200
    assert (await listed(client, cast.developer, project))["routers"] == []


async def test_names_are_one_in_a_project_also_at_once(
    client: httpx.AsyncClient, cast: Cast, project: Project, endpoints: list[Endpoint]
) -> None:
    body = body_of(project, target(endpoints[0]))
    answers = await asyncio.gather(*(post(client, cast.admin, {**body, "name": name}) for name in ("Chat", "chat")))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    other = (await post(client, cast.admin, {**body, "name": "Other"})).json()["result"]
    for taken in ("CHAT", endpoints[0].name.upper()):
        answer = await client.put(f"/routers/{other['id']}", json={**body, "name": taken}, headers=cast.admin.headers)
        assert (answer.status_code, answer.json()["param"]) == (409, "name")
    assert (await post(client, cast.admin, {**body, "name": endpoints[1].name})).status_code == 409


async def test_routers_take_endpoints_of_their_project(
    client: httpx.AsyncClient, cast: Cast, project: Project, endpoints: list[Endpoint], make_endpoint: MakeEndpoint
) -> None:
    elsewhere = await make_endpoint("elsewhere")
    foreign = await make_endpoint("foreign", owner=cast.other_admin)
    for endpoint, status in ((elsewhere, 400), (foreign, 404)):
        for targets in ([target(endpoint)], [target(endpoints[0], endpoint)]):
            answer = await post(client, cast.admin, body_of(project, *targets))
            assert (answer.status_code, answer.json()["param"]) == (status, "endpoints")
    assert (await listed(client, cast.admin, project))["routers"] == []


async def test_what_makes_no_sense_is_422(
    client: httpx.AsyncClient, cast: Cast, project: Project, endpoints: list[Endpoint]
) -> None:
    one, two, _ = endpoints
    wrong: list[dict[str, Any]] = [
        body_of(project),
        body_of(project, target(one, one)),
        body_of(project, target(one, two, two)),
        body_of(project, target(one), target(one)),
        body_of(project, target(one, weight=-1)),
        body_of(project, target(one, cool_down_period=-1)),
        body_of(project, target(one), name=" "),
        body_of(project, target(one), routing_strategy=[{"kind": "x"}]),
        body_of(project, target(one), routing_strategy=[{"name": "least-busy"}]),
        body_of(project, target(one, weight=1), target(two, weight=2)),
        body_of(project, target(one, tpm=1000)),
        body_of(project, target(one, rpm=10)),
        body_of(project, target(one, cool_down_period=5)),
    ]
    for body in wrong:
        assert (await post(client, cast.admin, body)).status_code == 422, body


async def test_routers_are_for_who_manages_endpoints(
    client: httpx.AsyncClient, cast: Cast, project: Project, endpoints: list[Endpoint]
) -> None:
    body = body_of(project, target(endpoints[0]))
    router_id: UUID = (await post(client, cast.admin, body)).json()["result"]["id"]
    for person, status in ((cast.tester, 403), (cast.client, 404), (cast.other_admin, 404)):
        assert (await post(client, person, {**body, "name": "New"})).status_code == status
        asked = f"/routers/?project_id={project.id}"
        assert (await client.get(asked, headers=person.headers)).status_code == status
        path = f"/routers/{router_id}"
        assert (await client.put(path, json=body, headers=person.headers)).status_code == status
        assert (await client.delete(path, headers=person.headers)).status_code == status
    assert (await client.delete(f"/routers/{uuid4()}", headers=cast.admin.headers)).status_code == 404


async def test_a_router_stays_in_its_project(
    client: httpx.AsyncClient, cast: Cast, project: Project, endpoints: list[Endpoint], make_project: MakeProject
) -> None:
    router = (await post(client, cast.admin, body_of(project, target(endpoints[0])))).json()["result"]
    other = await make_project("Other")
    body = body_of(other, target(endpoints[0]))
    answer = await client.put(f"/routers/{router['id']}", json=body, headers=cast.admin.headers)
    assert (answer.status_code, answer.json()["param"]) == (400, "project_id")
