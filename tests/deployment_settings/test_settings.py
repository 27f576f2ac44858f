"""Rate limits, retries and fallbacks of endpoints: merging, what is refused, and the way back."""

import asyncio
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.deployment_setting_ops.fallbacks import circle_through
from tests.cast import Cast, Person
from tests.endpoints.conftest import MakeEndpoint, MakeProject
from tests.projects.data import messages

LIMITS = {"algorithm": "fixed_window", "requests_per_second": 5, "requests_per_minute": 100}


def path_of(endpoint_id: UUID) -> str:
    return f"/endpoints/{endpoint_id}/deployment-settings"


async def put(client: httpx.AsyncClient, person: Person, endpoint_id: UUID, **settings: Any) -> httpx.Response:
    return await client.put(path_of(endpoint_id), json=settings, headers=person.headers)


async def fall_back(client: httpx.AsyncClient, person: Person, endpoint_id: UUID, *to: UUID) -> httpx.Response:
    return await put(client, person, endpoint_id, fallback_config={"fallback_models": [str(target) for target in to]})


async def settings_of(client: httpx.AsyncClient, person: Person, endpoint_id: UUID) -> dict[str, Any]:
    answer = await client.get(path_of(endpoint_id), headers=person.headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["endpoint_id"] == str(endpoint_id)
    return dict(answer.json()["deployment_settings"])


async def test_what_is_left_out_stays(client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint) -> None:
    endpoint = await make_endpoint("chat")
    nothing = {"rate_limits": None, "retry_config": None, "fallback_config": None}
    assert await settings_of(client, cast.tester, endpoint.id) == nothing
    assert (await put(client, cast.developer, endpoint.id, rate_limits=LIMITS)).status_code == 200
    await put(client, cast.developer, endpoint.id, retry_config={"num_retries": 3}, rate_limits=None)
    answer = await put(client, cast.developer, endpoint.id, rate_limits={"requests_per_second": None, "burst_size": 9})
    whole = {"requests_per_hour": None, "enabled": True, **LIMITS, "requests_per_second": None, "burst_size": 9}
    retry = {"num_retries": 3, "max_delay_s": 1.0}
    expected = {"rate_limits": whole, "retry_config": retry, "fallback_config": None}
    assert answer.json()["deployment_settings"] == expected
    assert await settings_of(client, cast.tester, endpoint.id) == expected


@pytest.mark.parametrize(
    "said",
    [
        {"rate_limits": {"algorithm": "leaky"}},
        {"rate_limits": {"requests_per_second": 0}},
        {"rate_limits": {"burst_size": -1}},
        {"retry_config": {"num_retries": 11}},
        {"retry_config": {"num_retries": None}},
        {"retry_config": {"max_delay_s": 0}},
        {"retry_config": {"max_delay_s": 61}},
        {"fallback_config": {"fallback_models": [str(uuid4()) for _ in range(6)]}},
        {"fallback_config": {"fallback_models": ["gpt"]}},
    ],
)
async def test_settings_that_make_no_sense_are_422(
    client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint, said: dict[str, Any]
) -> None:
    endpoint = await make_endpoint("chat")
    answer = await put(client, cast.admin, endpoint.id, **said)
    assert (answer.status_code, answer.json()["param"].split(".")[0]) == (422, next(iter(said)))


async def test_fallbacks_are_running_endpoints_of_the_project(
    client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint, make_project: MakeProject
) -> None:
    project = await make_project()
    endpoint = await make_endpoint("chat", project.id)
    spare = await make_endpoint("spare", project.id)
    sick = await make_endpoint("sick", project.id, status="unhealthy")
    gone = await make_endpoint("gone", project.id, status="deleted")
    elsewhere = await make_endpoint("elsewhere")
    foreign = await make_endpoint("foreign", owner=cast.other_admin)
    refused = {endpoint: 400, sick: 400, elsewhere: 400, gone: 404, foreign: 404}
    for target, status in refused.items():
        answer = await fall_back(client, cast.admin, endpoint.id, spare.id, target.id)
        assert answer.status_code == status, target.name
        assert answer.json()["param"] == "fallback_config.fallback_models"
    answer = await fall_back(client, cast.developer, endpoint.id, spare.id, spare.id)
    assert answer.json()["deployment_settings"]["fallback_config"] == {"fallback_models": [str(spare.id)]}
    assert (await fall_back(client, cast.developer, endpoint.id)).status_code == 200


async def test_a_circle_over_several_endpoints_is_refused(
    client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint, make_project: MakeProject
) -> None:
    project = await make_project()
    a, b, c, d = [await make_endpoint(name, project.id) for name in "abcd"]
    for one, other in ((a, b), (b, c), (c, d)):
        assert (await fall_back(client, cast.admin, one.id, other.id)).status_code == 200
    answer = await fall_back(client, cast.admin, d.id, b.id)
    assert (answer.status_code, "circle" in answer.json()["message"]) == (400, True)
    assert (await fall_back(client, cast.admin, a.id, d.id, c.id)).status_code == 200  # two ways to one are no circle


async def test_two_updates_at_once_make_no_circle(
    client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint, make_project: MakeProject
) -> None:
    project = await make_project()
    nodes = [await make_endpoint(name, project.id) for name in "abc"]
    for _ in range(3):
        calls = [
            fall_back(client, cast.admin, node.id, nodes[(number + 1) % 3].id) for number, node in enumerate(nodes)
        ]
        answers = await asyncio.gather(*calls)
        assert sorted(answer.status_code for answer in answers) == [200, 200, 400]
        for node in nodes:
            await fall_back(client, cast.admin, node.id)


async def test_rolling_back_goes_one_change_back_each_time(
    client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint
) -> None:
    endpoint = await make_endpoint("chat")
    path = f"/endpoints/{endpoint.id}/rollback"
    assert (await client.post(path, headers=cast.developer.headers)).status_code == 409
    for retries in (1, 2, 2):
        await put(client, cast.developer, endpoint.id, retry_config={"num_retries": retries})
    assert (await client.post(path, headers=cast.tester.headers)).status_code == 403
    answer = await client.post(path, headers=cast.developer.headers)
    assert answer.json()["deployment_settings"]["retry_config"]["num_retries"] == 1
    answer = await client.post(path, headers=cast.developer.headers)
    assert answer.json()["deployment_settings"]["retry_config"] is None
    assert (await client.post(path, headers=cast.developer.headers)).status_code == 409


async def test_a_rollback_makes_no_circle_either(
    client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint, make_project: MakeProject
) -> None:
    project = await make_project()
    a, b = [await make_endpoint(name, project.id) for name in "ab"]
    await fall_back(client, cast.admin, a.id, b.id)
    await fall_back(client, cast.admin, a.id)
    await fall_back(client, cast.admin, b.id, a.id)
    answer = await client.post(f"/endpoints/{a.id}/rollback", headers=cast.admin.headers)
    assert answer.status_code == 400
    assert (await settings_of(client, cast.admin, a.id))["fallback_config"] == {"fallback_models": []}


async def test_only_the_newest_fifty_changes_can_be_taken_back(
    client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint
) -> None:
    endpoint = await make_endpoint("chat")
    for limit in range(1, 54):
        await put(client, cast.admin, endpoint.id, rate_limits={"requests_per_second": limit})
    steps = 0
    while (await client.post(f"/endpoints/{endpoint.id}/rollback", headers=cast.admin.headers)).status_code == 200:
        steps += 1
    assert steps == 50
    assert (await settings_of(client, cast.admin, endpoint.id))["rate_limits"]["requests_per_second"] == 3


async def test_services_of_the_platform_set_limits_for_somebody(
    client: httpx.AsyncClient, cast: Cast, settings: Settings, make_endpoint: MakeEndpoint
) -> None:
    endpoint = await make_endpoint("chat")
    headers = {"dapr-api-token": settings.app_api_token.get_secret_value()}
    body = {"rate_limits": LIMITS}
    for person, status in ((cast.developer, 200), (cast.tester, 403), (cast.client, 404)):
        asked = f"{path_of(endpoint.id)}?user_id={person.id}"
        assert (await client.put(asked, json=body, headers=headers)).status_code == status
    answer = await client.get(f"{path_of(endpoint.id)}?user_id={cast.tester.id}", headers=headers)
    assert answer.json()["deployment_settings"]["rate_limits"]["algorithm"] == "fixed_window"
    assert (await client.put(path_of(endpoint.id), json=body, headers={"dapr-api-token": "x"})).status_code == 401


async def test_who_deployed_it_and_who_changes_it_are_told(
    client: httpx.AsyncClient, cast: Cast, database: Database, make_endpoint: MakeEndpoint
) -> None:
    endpoint = await make_endpoint("chat")
    for _ in range(2):  # the second time nothing changes
        await put(client, cast.developer, endpoint.id, rate_limits=LIMITS)
    [told] = [body for _, body in await messages(database) if body["payload"]["type"] == "deployment_success"]
    assert told["subscriber_ids"] == sorted([str(cast.admin.id), str(cast.developer.id)])
    assert told["payload"]["content"]["title"] == "Deployment Settings Updated"


NODES = [UUID(int=number) for number in range(6)]
GRAPHS = st.dictionaries(st.sampled_from(NODES), st.lists(st.sampled_from(NODES), max_size=3))


def _reaches(start: UUID, goal: UUID, graph: dict[UUID, list[UUID]]) -> bool:
    """Whether a way leads from one to the other: by growing what is reached until nothing is added."""
    reached = {start}
    while more := {target for node in reached for target in graph.get(node, [])} - reached:
        reached |= more
    return goal in reached


@given(GRAPHS, st.lists(st.sampled_from(NODES), max_size=3))
def test_a_circle_is_found_where_there_is_one(graph: dict[UUID, list[UUID]], targets: list[UUID]) -> None:
    me = NODES[0]
    others = {node: list(to) for node, to in graph.items() if node != me}
    circle = circle_through(me, targets, others)
    assert (circle is not None) == any(_reaches(target, me, others) for target in targets)
    if circle is not None:
        assert circle[0] == circle[-1] == me
        steps = list(pairwise(circle))
        assert all(to in (targets if node == me else others[node]) for node, to in steps)
