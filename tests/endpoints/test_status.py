"""What budcluster tells of deployments: the table, events over the bus, the history, and who is told."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.endpoint_ops.models import Endpoint, EndpointStatus
from budapp.endpoint_ops.status import REPORTED, TRANSITIONS, Report, State, after_report
from tests.cast import Cast
from tests.endpoints.conftest import MakeEndpoint
from tests.projects.data import messages

START = datetime(2030, 1, 1, tzinfo=UTC) - timedelta(days=3000)
SAID = st.sampled_from([*REPORTED, "unknown", "", "READY", "deleted", "deleting"])
REPORTS = st.builds(
    Report, SAID, st.none() | st.just("No memory"), st.integers(0, 6).map(lambda n: START + timedelta(minutes=n))
)
STATES = st.builds(State, st.sampled_from(EndpointStatus), st.none(), st.none() | st.just(START))


def _run(state: State, reports: list[Report]) -> State:
    for report in reports:
        after = after_report(state, report)
        state = state if isinstance(after, str) else after
    return state


@given(STATES, st.lists(REPORTS, max_size=12))
def test_only_the_ways_in_the_table_are_taken(state: State, reports: list[Report]) -> None:
    for report in reports:
        after = after_report(state, report)
        if isinstance(after, State):
            assert after.status in TRANSITIONS[state.status]
            assert after.status == REPORTED[report.status]
            assert state.reported_at is None or after.reported_at > state.reported_at  # type: ignore[operator]
            assert (after.reason is None) == (after.status == EndpointStatus.RUNNING)
            state = after
    assert state.status not in {EndpointStatus.FAILURE, EndpointStatus.DEPLOYING} or not state.reason


@given(st.sampled_from([EndpointStatus.DELETING, EndpointStatus.DELETED]), st.lists(REPORTS))
def test_what_is_deleted_stays_so(status: EndpointStatus, reports: list[Report]) -> None:
    state = State(status, None, None)
    assert _run(state, reports) == state


@given(STATES, st.lists(REPORTS, max_size=4, unique_by=lambda report: report.at))
def test_order_and_repetition_make_no_difference(state: State, reports: list[Report]) -> None:
    ends = {_run(state, [*order, *order]) for order in permutations(reports)}
    assert len(ends) == 1


def test_every_status_is_in_the_table() -> None:
    assert set(TRANSITIONS) == set(EndpointStatus)


Tell = Callable[..., Awaitable[None]]


@pytest.fixture
def tell(client: httpx.AsyncClient, settings: Settings) -> Tell:
    """Return what delivers a status event, so many minutes after the start."""

    async def tell(endpoint: Endpoint, status: str, minute: int = 1, *workers: str, **facts: Any) -> None:
        listed = [{"name": f"w{n}", "node_name": f"n{n % 2}", "status": one} for n, one in enumerate(workers)]
        about = {"deployment_name": endpoint.namespace, "cluster_id": str(endpoint.bud_cluster_id), "status": status}
        content = {"title": "t", "message": "m", "status": "COMPLETED"}
        result = {**about, "worker_data_list": listed, "replicas": {"total": len(listed)}, **facts}
        payload = {"category": "internal", "type": "deployment-status-update", "event": "results", "workflow_id": ""}
        body = {
            "id": str(uuid4()),
            "name": "bud-internal",
            "time": (START + timedelta(minutes=minute)).isoformat(),
            "payload": {**payload, "source": "budcluster", "content": {**content, "result": result}},
        }
        headers = {"dapr-api-token": settings.app_api_token.get_secret_value()}
        answer = await client.post("/notifications", json=body, headers=headers)
        assert answer.json()["status"] == "SUCCESS", answer.text

    return tell


@pytest.fixture
def make_deployed(make_endpoint: MakeEndpoint) -> MakeEndpoint:
    """Return what makes an endpoint that runs on a cluster since the start."""

    async def make(name: str = "chat", **facts: Any) -> Endpoint:
        where = {"bud_cluster_id": uuid4(), "namespace": f"bud-{name}", "status_sync_at": START}
        return await make_endpoint(name, **{**where, **facts})

    return make


async def state_of(database: Database, endpoint: Endpoint) -> Endpoint:
    async with database.read() as session:
        return await session.get_one(Endpoint, endpoint.id)


async def history_of(client: httpx.AsyncClient, cast: Cast, endpoint_id: UUID) -> list[tuple[str, str | None]]:
    answer = await client.get(f"/endpoints/{endpoint_id}/history", headers=cast.tester.headers)
    assert answer.status_code == 200, answer.text
    return [(entry["state"], entry["reason"]) for entry in answer.json()["history"]]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("ready", "running"),
        ("pending", "pending"),
        ("failed", "unhealthy"),
        ("ingress_failed", "unhealthy"),
        ("endpoints_failed", "unhealthy"),
        ("error", "unhealthy"),
        ("exploded", "running"),
    ],
)
async def test_an_endpoint_is_what_is_told_of_it(
    client: httpx.AsyncClient,
    cast: Cast,
    database: Database,
    tell: Tell,
    make_deployed: MakeEndpoint,
    said: str,
    status: str,
) -> None:
    endpoint = await make_deployed()
    await tell(endpoint, said, 1, "Running", "Running", "Failed", "Running")
    found = await state_of(database, endpoint)
    assert (found.status, found.reason is None) == (status, status == "running")
    if said != "exploded":
        assert (found.total_replicas, found.active_replicas) == (4, 3)
        assert (found.node_list, found.number_of_nodes) == (["n0", "n1"], 2)
    [row] = (await client.get("/endpoints/", headers=cast.tester.headers)).json()["endpoints"]
    assert (row["status"], row["reason"]) == (status, found.reason)


async def test_events_that_come_late_again_or_in_vain_change_nothing(
    client: httpx.AsyncClient, cast: Cast, database: Database, tell: Tell, make_deployed: MakeEndpoint
) -> None:
    endpoint = await make_deployed()
    await tell(endpoint, "failed", 5, "Failed", reason="No memory")
    await tell(endpoint, "ready", 4, "Running")
    await tell(endpoint, "ready", 5, "Running")
    await tell(endpoint, "failed", 5, "Failed", reason="No memory")
    found = await state_of(database, endpoint)
    assert (found.status, found.reason, found.active_replicas) == ("unhealthy", "No memory", 0)
    assert await history_of(client, cast, endpoint.id) == [("unhealthy", "No memory"), ("running", None)]
    leaving = await make_deployed("leaving", status="deleting")
    await tell(leaving, "ready", 5, "Running")
    assert (await state_of(database, leaving)).status == "deleting"
    gone = await make_deployed("gone", status="deleted")
    await tell(gone, "ready")
    await tell(endpoint, "ready", 9, worker_data_list="none")
    await tell(endpoint, "ready", 9, cluster_id="x")
    await tell(endpoint, "ready", 9, deployment_name="nobody")
    assert (await state_of(database, endpoint)).status == "unhealthy"


async def test_the_history_tells_each_state_since_when_and_why(
    client: httpx.AsyncClient, cast: Cast, database: Database, tell: Tell, make_deployed: MakeEndpoint
) -> None:
    endpoint = await make_deployed()
    await tell(endpoint, "pending", 1)
    await tell(endpoint, "pending", 2)
    await tell(endpoint, "endpoints_failed", 3)
    await tell(endpoint, "ready", 6, "Running")
    async with database.write() as session:
        (await session.get_one(Endpoint, endpoint.id)).status = EndpointStatus.DELETING
    answer = await client.get(f"/endpoints/{endpoint.id}/history?limit=4", headers=cast.tester.headers)
    assert answer.json()["total_record"] == 5
    states = [(entry["state"], entry["reason"]) for entry in answer.json()["history"]]
    why = "The model does not answer"
    waits = "The deployment waits for its workers"
    assert states == [("deleting", None), ("running", None), ("unhealthy", why), ("pending", waits)]
    assert datetime.fromisoformat(answer.json()["history"][2]["since"]) == START + timedelta(minutes=3)
    foreign = await client.get(f"/endpoints/{endpoint.id}/history", headers=cast.other_admin.headers)
    assert foreign.status_code == 404


async def test_who_deployed_it_and_who_manages_it_are_told_once_per_change(
    cast: Cast, database: Database, tell: Tell, make_deployed: MakeEndpoint
) -> None:
    endpoint = await make_deployed()
    for minute, said in enumerate(("ready", "error", "error", "ready"), 1):
        await tell(endpoint, said, minute)
    told = [body for _, body in await messages(database) if body["payload"]["type"].startswith("deployment_")]
    assert [body["payload"]["type"] for body in told] == ["deployment_unhealthy", "deployment_running"]
    whom = sorted([str(cast.admin.id), str(cast.developer.id)])
    assert [body["subscriber_ids"] for body in told] == [whom, whom]
    assert told[0]["payload"]["content"]["status"] == "FAILED"


async def test_events_at_once_end_with_the_newest(
    database: Database, client: httpx.AsyncClient, cast: Cast, tell: Tell, make_deployed: MakeEndpoint
) -> None:
    endpoint = await make_deployed()
    said = ["failed", "ready", "pending", "error", "ready", "ingress_failed"]
    await asyncio.gather(*(tell(endpoint, status, minute) for minute, status in enumerate(said, 1)))
    assert (await state_of(database, endpoint)).status == "unhealthy"
    assert (await state_of(database, endpoint)).status_sync_at == START + timedelta(minutes=len(said))
    assert (await history_of(client, cast, endpoint.id))[0][0] == "unhealthy"
