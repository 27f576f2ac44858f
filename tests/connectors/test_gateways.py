from uuid import uuid4

import pytest
from sqlalchemy import select

from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.connector_ops.models import ConnectorGateway
from budapp.connector_ops.setting_up import GatewayChecks
from budapp.integrations.outgoing import Outgoing
from tests.cast import Cast
from tests.connectors.conftest import SECRET, Desk, Json

HEADERS = {"auth_headers": [{"key": "X-Key", "value": "a secret of theirs"}]}


async def test_a_connector_of_the_registry_is_set_up_changed_and_deleted(desk: Desk) -> None:
    listed = (await desk.call("GET", "/connectors/registry", params={"name": "tick"}))["connectors"]
    assert [(one["id"], one["auth_type"]) for one in listed] == [("tickets", "Headers")]
    assert [one["field"] for one in listed[0]["credential_schema"]] == ["auth_headers"]
    assert (await desk.call("GET", "/connectors/registry/github"))["connector"]["icon"] == "icons/github.svg"
    await desk.call("GET", "/connectors/registry/nothing", 404)
    body = {"connector_id": "tickets", "credentials": HEADERS}
    made = (await desk.call("POST", "/connectors/gateways", 201, json=body))["gateway"]
    assert (made["name"], made["connector_id"], made["enabled"]) == ("Tickets", "tickets", True)
    at = f"/connectors/gateways/{made['gateway_id']}"
    assert (await desk.call("GET", at))["gateway"] == made
    changed = (await desk.call("PUT", at, json={"name": "Helpdesk", "credentials": HEADERS}))["gateway"]
    assert changed["name"] == "Helpdesk"
    configured = "/connectors/configured"
    clients = await desk.call(
        "PATCH", f"{configured}/{made['gateway_id']}/clients", json={"clients": ["studio", "chat"]}
    )
    assert clients["gateway"]["tags"] == ["support", "client:studio", "client:chat"]
    [one] = (await desk.call("GET", configured, params={"client": "chat"}))["connectors"]
    assert (one["tool_count"], one["oauth_connected"], one["is_custom"]) == (3, False, False)
    assert (await desk.call("GET", configured, params={"client": "other"}))["connectors"] == []
    [usable] = (await desk.call("GET", "/connectors/available"))["connectors"]
    assert [tool["originalName"] for tool in usable["tools"]] == ["read", "search", "write"]
    await desk.call("PATCH", f"{configured}/{made['gateway_id']}/toggle", json={"enabled": False})
    assert (await desk.call("GET", "/connectors/available"))["connectors"] == []
    assert (await desk.call("GET", configured))["connectors"] == []
    off = (await desk.call("GET", configured, params={"include_disabled": True}))["connectors"]
    assert [one["enabled"] for one in off] == [False]
    await desk.call("POST", f"{configured}/{made['gateway_id']}/tag", json={"connector_id": "weather"})
    assert (await desk.call("GET", at))["gateway"]["connector_id"] == "weather"
    await desk.call("DELETE", at)
    await desk.call("GET", at, 404)
    assert (await desk.call("GET", "/connectors/gateways"))["total_record"] == 0


async def test_secrets_come_back_nowhere(desk: Desk, cast: Cast) -> None:
    made = await desk.custom()
    told = [
        await desk.http.get(path, headers=cast.admin.headers)
        for path in (
            f"/connectors/gateways/{made['gateway_id']}",
            "/connectors/configured",
            f"/connectors/{made['gateway_id']}/oauth/status",
            "/audit/records?limit=100",
        )
    ]
    assert [answer.status_code for answer in told] == [200] * 4
    assert all(SECRET not in answer.text for answer in told)
    assert made["gateway_id"] in told[3].text


async def test_other_tenants_and_people_without_the_scope_see_nothing(desk: Desk, cast: Cast) -> None:
    made = await desk.custom()
    other = desk.of(cast.other_admin)
    assert (await other.call("GET", "/connectors/configured"))["connectors"] == []
    for method, path in (
        ("GET", f"/connectors/gateways/{made['gateway_id']}"),
        ("DELETE", f"/connectors/gateways/{made['gateway_id']}"),
        ("GET", f"/connectors/{made['gateway_id']}/tools"),
        ("POST", f"/connectors/{made['gateway_id']}/oauth/initiate"),
        ("POST", f"/connectors/{made['gateway_id']}/fetch-tools"),
        ("GET", f"/connectors/{made['gateway_id']}/oauth/token-status"),
    ):
        await other.call(method, path, 404)
    await desk.of(cast.tester).call("GET", "/connectors/configured", 403)
    await desk.of(cast.client).call("GET", f"/connectors/{made['gateway_id']}/tools", 403)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"connector_id": "weather", "credentials": HEADERS}, 400),
        ({"connector_id": "nothing", "credentials": {}}, 404),
        ({"connector_id": "tickets", "credentials": {"auth_headers": []}}, 422),
        ({"connector_id": "tickets", "credentials": {"auth_headers": [{"key": "X"}]}}, 422),
        (
            {"connector_id": "github", "credentials": {"grant_type": "authorization_code", "token_url": "https://x"}},
            422,
        ),
    ],
)
async def test_credentials_are_of_the_kind_that_the_connector_takes(desk: Desk, body: Json, status: int) -> None:
    await desk.call("POST", "/connectors/gateways", status, json=body)
    assert (await desk.call("GET", "/connectors/gateways"))["total_record"] == 0


INSIDE = [
    "http://169.254.169.254/latest/meta-data",
    "https://169.254.169.254/",
    "http://10.0.0.7/mcp",
    "https://192.168.1.1/mcp",
    "https://[fd00::1]/mcp",
    "https://[::ffff:10.0.0.7]/mcp",
]


@pytest.mark.parametrize("url", INSIDE)
async def test_nothing_inside_our_walls_is_named_to_the_foundry(desk: Desk, url: str) -> None:
    asked = len(await desk.peer.requests("/gateways"))
    assert (await desk.custom(422, url=url))["param"] == "url"
    refused = await desk.custom(422, credentials=desk.provider.credentials(token_url=url))
    assert refused["param"] == "credentials"
    assert len(await desk.peer.requests("/gateways")) == asked
    path = f"/connectors/gateways/{(await desk.custom())['gateway_id']}"
    assert (await desk.call("PUT", path, 422, json={"url": url}))["param"] == "url"
    changed = {"credentials": desk.provider.credentials(authorization_url=url)}
    assert (await desk.call("PUT", path, 422, json=changed))["param"] == "credentials"


async def test_a_name_that_has_come_to_lead_inside_is_refused_when_it_is_used(desk: Desk, app: object) -> None:
    made = await desk.custom()
    checks = components_of(app)[GatewayChecks]  # type: ignore[arg-type]
    before, checks._outgoing = checks._outgoing, Outgoing(())
    try:
        await desk.begin(made, 422)
        await desk.call("POST", f"/connectors/{made['gateway_id']}/fetch-tools", 422)
    finally:
        checks._outgoing = before


FAULTS = [
    ({"status": 500}, 502),
    ({"status": 401, "answer": {"detail": "Who?"}}, 502),
    ({"status": 409, "answer": {"detail": "There is one"}}, 409),
    ({"status": 422, "answer": {"detail": "Too odd"}}, 400),
    ({"status": 429}, 429),
    ({"status": 200, "answer": {"odd": 1}}, 502),
    ({"hang": True}, 503),
]


@pytest.mark.parametrize(("fault", "status"), FAULTS)
async def test_each_answer_of_the_foundrys_is_an_honest_one(desk: Desk, fault: Json, status: int) -> None:
    name = f"Files {uuid4().hex[:8]}"
    await desk.peer.does_wrong(name, **fault)
    told = await desk.custom(status, name=name)
    assert told["object"] == "error"
    assert (await desk.call("GET", "/connectors/gateways"))["total_record"] == 0


async def test_a_list_is_no_empty_one_where_the_foundry_fails(desk: Desk) -> None:
    await desk.custom()
    await desk.peer.does_wrong("/tools", status=500)
    for path in ("/connectors/configured", "/connectors/available"):
        await desk.call("GET", path, 502)


async def test_a_deletion_that_the_foundry_refuses_is_none(desk: Desk) -> None:
    made = await desk.custom()
    await desk.peer.does_wrong("/gateways/", status=500)
    await desk.call("DELETE", f"/connectors/gateways/{made['gateway_id']}", 502)
    await desk.peer.behave()
    await desk.call("GET", f"/connectors/gateways/{made['gateway_id']}")


async def test_the_fields_of_credentials_are_told(desk: Desk) -> None:
    told = (await desk.call("GET", "/connectors/custom/credential-schema"))["schema"]
    assert set(told) == {"OAuth", "Headers", "Open"}
    assert [one["field"] for one in told["OAuth"]][:2] == ["grant_type", "client_id"]


async def test_tools_of_other_gateways_are_not_shown(desk: Desk, database: Database) -> None:
    made = await desk.custom()
    async with database.read() as session:
        foundry_id = await session.scalar(select(ConnectorGateway.foundry_id))
    tools = [{"id": one, "name": one, "gateway_id": one} for one in (foundry_id, "theirs")]
    await desk.peer.does_wrong(f"gateway_id={foundry_id}", status=200, answer={"items": tools})
    shown = (await desk.call("GET", f"/connectors/{made['gateway_id']}/tools"))["tools"]
    assert [tool["id"] for tool in shown] == [foundry_id]
