"""Lists and details of endpoints: who reaches which, how they are filtered and ordered."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from budapp.commons.database import Database, now
from tests.cast import Cast, Person
from tests.endpoints.conftest import MakeEndpoint, MakeProject
from tests.models.conftest import MakeModel
from tests.projects.data import add, cluster_row, join
from tests.statements import Statements


async def listed(client: httpx.AsyncClient, person: Person, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"/endpoints/?{query}", headers=person.headers)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["endpoints"])


async def names(client: httpx.AsyncClient, person: Person, query: str = "") -> list[str]:
    return [row["name"] for row in await listed(client, person, query)]


async def test_an_endpoint_is_listed_with_its_model_project_and_cluster(
    client: httpx.AsyncClient, cast: Cast, database: Database, make_endpoint: MakeEndpoint, make_model: MakeModel
) -> None:
    cluster = cluster_row(cast.admin, "Rack", total_nodes=3)
    await add(database, cluster)
    model = await make_model("Llama", description="It chats", model_size=7, icon="l")
    replicas = {"total_replicas": 4, "active_replicas": 2}
    endpoint = await make_endpoint("chat", model_id=model.id, cluster_id=cluster.id, **replicas)
    [row] = await listed(client, cast.developer)
    assert (row["id"], row["endpoint_id"], row["name"], row["endpoint_name"]) == (str(endpoint.id),) * 2 + ("chat",) * 2
    assert (row["project_name"], row["model_name"], row["description"]) == ("Of chat", "Llama", "It chats")
    assert (row["total_workers"], row["active_workers"], row["status"]) == (4, 2, "running")
    assert (row["model"]["icon"], row["model"]["model_size"]) == ("l", 7)
    assert row["model"]["modality"]["text"]["input"]
    assert row["model"]["supported_endpoints"]["chat"]["enabled"]
    assert (row["cluster"]["name"], row["cluster"]["total_nodes"]) == ("Rack", 3)


async def test_each_sees_the_endpoints_of_the_projects_where_they_may(
    client: httpx.AsyncClient, cast: Cast, database: Database, make_endpoint: MakeEndpoint, make_project: MakeProject
) -> None:
    await make_endpoint("shared")
    hidden = await make_project("Hidden", members=False)
    await make_endpoint("alone", hidden.id)
    await make_endpoint("foreign", owner=cast.other_admin)
    await make_endpoint("gone", status="deleted")
    assert sorted(await names(client, cast.admin)) == ["alone", "shared"]
    assert await names(client, cast.developer) == ["shared"]
    assert await names(client, cast.other_admin) == ["foreign"]
    assert await names(client, cast.client) == []  # who takes part in nothing sees nothing
    assert await names(client, cast.developer, f"project_id={hidden.id}") == []
    await join(database, str(hidden.id), cast.developer, scopes=("project:view",))
    assert await names(client, cast.developer) == ["shared"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=alpha", ["alpha"]),
        ("name=alp", []),
        ("search=true&name=ALP", ["alpha"]),
        ("search=true&name=a&status=pending", ["beta"]),
        ("is_published=true", ["beta"]),
        ("is_published=false&order_by=name", ["alpha", "gamma"]),
        ("status=deleted", []),
        ("order_by=-project_name", ["gamma", "beta", "alpha"]),
        ("order_by=model_name", ["gamma", "beta", "alpha"]),
        ("order_by=total_workers", ["beta", "alpha", "gamma"]),
        ("order_by=-active_workers", ["alpha", "beta", "gamma"]),
        ("order_by=name&page=2&limit=2", ["gamma"]),
    ],
)
async def test_lists_are_filtered_and_ordered(
    client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint, make_model: MakeModel, query: str, found: Any
) -> None:
    workers = {"alpha": (2, 3), "beta": (1, 2), "gamma": (3, 1)}
    for number, (name, (total, active)) in enumerate(workers.items()):
        model = await make_model(f"{9 - number}")
        published = {"is_published": True, "published_date": now(), "status": "pending"} if name == "beta" else {}
        counts = {"total_replicas": total, "active_replicas": active}
        await make_endpoint(name, model_id=model.id, **counts, **published)
    answer = await client.get(f"/endpoints/?{query}", headers=cast.admin.headers)
    assert [row["name"] for row in answer.json()["endpoints"]] == found
    assert answer.json()["total_record"] == (3 if "page=2" in query else len(found))


async def test_a_cursor_goes_through_lists_ordered_by_what_stands_beside(
    client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint
) -> None:
    for name in ("a", "b", "c", "d", "e"):
        await make_endpoint(name)
    found, cursor = [], ""
    while True:
        query = f"order_by=-model_name&limit=2{cursor}"
        body = (await client.get(f"/endpoints/?{query}", headers=cast.admin.headers)).json()
        found += [row["name"] for row in body["endpoints"]]
        if body["next_cursor"] is None:
            break
        cursor = f"&cursor={body['next_cursor']}"
    assert found == ["e", "d", "c", "b", "a"]


async def test_a_list_is_one_statement(
    client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint, statements: Statements
) -> None:
    await make_endpoint("chat")
    for person in (cast.developer, cast.admin):
        await listed(client, person)
        statements.clear()
        await listed(client, person)
        assert len(statements) == 1


async def test_a_detail_tells_the_model_and_how_it_was_deployed(
    client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint, make_model: MakeModel, statements: Statements
) -> None:
    model = await make_model("Llama", use_cases=["Chat"], local_path="secret_folder")
    engine = {"enable_tool_calling": True, "tool_calling_parser_type": "hermes"}
    config = {"concurrent_requests": 5, "avg_context_length": 100, "engine_configs": engine, "nodes": []}
    created = now() - timedelta(days=1)
    endpoint = await make_endpoint(
        "chat", model_id=model.id, deployment_config=config, node_list=["n1"], created_at=created
    )
    path = f"/endpoints/{endpoint.id}/model-cluster-detail"
    assert (await client.get(path, headers=cast.tester.headers)).status_code == 200
    statements.clear()
    answer = await client.get(path, headers=cast.tester.headers)
    found = answer.json()["result"]
    assert len(statements) <= 6
    assert (found["name"], found["model"]["name"], found["model"]["use_cases"]) == ("chat", "Llama", ["Chat"])
    assert (found["nodes"], found["cluster"], found["model"]["pricing"]) == (["n1"], None, None)
    assert found["deployment_config"]["engine_configs"]["tool_calling_parser_type"] == "hermes"
    assert found["deployment_config"]["concurrent_requests"] == 5
    assert "secret_folder" not in answer.text
    assert cast.admin.email not in answer.text


async def test_a_detail_out_of_reach_is_404(client: httpx.AsyncClient, cast: Cast, make_endpoint: MakeEndpoint) -> None:
    endpoint = await make_endpoint("chat")
    gone = await make_endpoint("gone", status="deleted")
    for endpoint_id, person in ((endpoint.id, cast.other_admin), (endpoint.id, cast.client), (gone.id, cast.admin)):
        answer = await client.get(f"/endpoints/{endpoint_id}/model-cluster-detail", headers=person.headers)
        assert answer.status_code == 404
