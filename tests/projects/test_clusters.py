from typing import Any

import httpx
import pytest

from budapp.commons.database import Database
from tests.cast import Cast
from tests.projects.data import add, cluster_row, create, endpoint_row
from tests.statements import Statements


async def fetch(client: httpx.AsyncClient, cast: Cast, id: str, **query: Any) -> dict[str, Any]:
    answer = await client.get(f"/projects/{id}/clusters", params=query, headers=cast.admin.headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture
async def project(client: httpx.AsyncClient, cast: Cast, database: Database) -> dict[str, Any]:
    """Two clusters in use, and everything that must not show."""
    project, other = [await create(client, cast.admin, name=name) for name in "ab"]
    one = cluster_row(cast.admin, "one", cpu_count=4, gpu_count=8, total_nodes=9)
    two = cluster_row(cast.admin, "two", status="not_available", hpu_count=1)
    unused = cluster_row(cast.admin, "unused")
    deleted = cluster_row(cast.admin, "deleted", status="deleted")
    foreign = cluster_row(cast.other_admin, "foreign")
    await add(database, one, two, unused, deleted, foreign)
    uses = [(one, 2, 1), (one, 3, 2), (two, 1, 1), (deleted, 1, 1), (foreign, 1, 1)]
    endpoints = [
        endpoint_row(project["id"], cast.admin, cluster_id=cluster.id, total_replicas=replicas, number_of_nodes=nodes)
        for cluster, replicas, nodes in uses
    ]
    gone = endpoint_row(project["id"], cast.admin, cluster_id=unused.id, status="deleted")
    elsewhere = endpoint_row(other["id"], cast.admin, cluster_id=unused.id)
    in_the_cloud = endpoint_row(project["id"], cast.admin)
    await add(database, *endpoints, gone, elsewhere, in_the_cloud)
    return project


async def test_a_cluster_shows_what_the_project_uses_of_it(
    client: httpx.AsyncClient, cast: Cast, project: dict[str, Any]
) -> None:
    body = await fetch(client, cast, project["id"], order_by="name")
    assert (body["object"], body["total_record"]) == ("project.clusters.list", 2)
    first, second = body["clusters"]
    assert first.keys() == second.keys()
    assert {name: first[name] for name in first if name not in {"id", "created_at", "modified_at"}} == {
        "name": "one",
        "status": "available",
        "endpoint_count": 2,
        "worker_count": 5,
        "node_count": 3,
        "hardware_type": ["CPU", "GPU"],
    }
    assert (second["name"], second["hardware_type"], second["status"]) == ("two", ["HPU"], "not_available")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"search": True, "name": "ON"}, ["one"]),
        ({"search": True, "name": "o", "status": "available"}, ["one"]),
        ({"name": "two"}, ["two"]),
        ({"name": "tw"}, []),
        ({"status": "not_available"}, ["two"]),
        ({"order_by": "-endpoint_count"}, ["one", "two"]),
        ({"order_by": "worker_count"}, ["two", "one"]),
        ({"limit": 1, "page": 2, "order_by": "name"}, ["two"]),
    ],
)
async def test_filters_and_order(
    client: httpx.AsyncClient, cast: Cast, project: dict[str, Any], query: dict[str, Any], found: list[str]
) -> None:
    body = await fetch(client, cast, project["id"], **query)
    assert [cluster["name"] for cluster in body["clusters"]] == found


async def test_a_cursor_over_a_sum_goes_on(client: httpx.AsyncClient, cast: Cast, project: dict[str, Any]) -> None:
    first = await fetch(client, cast, project["id"], order_by="-worker_count", limit=1)
    rest = await fetch(client, cast, project["id"], order_by="-worker_count", cursor=first["next_cursor"])
    assert [cluster["name"] for cluster in [*first["clusters"], *rest["clusters"]]] == ["one", "two"]


async def test_a_project_without_deployments_has_none(client: httpx.AsyncClient, cast: Cast) -> None:
    body = await fetch(client, cast, (await create(client, cast.admin))["id"])
    assert (body["clusters"], body["total_pages"]) == ([], 1)


async def test_clusters_are_two_statements(
    client: httpx.AsyncClient, cast: Cast, project: dict[str, Any], statements: Statements
) -> None:
    statements.clear()
    await fetch(client, cast, project["id"])
    assert len(statements) == 2


async def test_an_unknown_status_is_422(client: httpx.AsyncClient, cast: Cast, project: dict[str, Any]) -> None:
    answer = await client.get(f"/projects/{project['id']}/clusters?status=x", headers=cast.admin.headers)
    assert answer.status_code == 422
