"""Explanations say what really happens: they are held against the real answer at every route, for several people."""

import re
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi.routing import APIRoute

from budapp.commons.access import access_of, row_parameter
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.project_ops.services import RequiresInProject
from budapp.tenant_ops.models import Tenant
from budapp.user_ops.models import UserPermission
from tests.cast import Cast, Person
from tests.command_line import budapp
from tests.permissions.people import assign, make_role
from tests.projects import data
from tests.surface.callers import CALLERS
from tests.surface.matrix import SHARE_OF, expected_at
from tests.surface.routes import ROUTES
from tests.surface.share import Things
from tests.surface.surface import Surface
from tests.test_routes import ROWS_OF_PEERS, declared, method_of, url
from tests.users import test_users as users

PEOPLE = ("admin", "developer", "client", "other_admin")
"""The others are held against the access matrix."""
BODY = {
    "users": [{"email": "somebody@example.com", "scopes": []}],
    "user_ids": [str(data.MISSING)],
    "name": "Other",
    "role_id": None,
}
BODIES: dict[str, Any] = {
    "/permissions/{user_id}/global": [{"name": "model:view", "has_permission": True}],
    "/projects/{project_id}/add-users": {"users": [{"user_id": str(data.MISSING), "scopes": ["endpoint:view"]}]},
}
NOT_THE_ROW_IN_THE_PATH = {"/projects/{project_id}/add-users", "/projects/{project_id}/remove-users"}
"""Here the body names others who are not there either, so a 404 says nothing about the project."""

NOTED_AT_SIGN_IN = {"DELETE /users/me/sessions/{session_id}"}
"""Here the scene's session was begun past the API, which is what notes sessions."""


OWN_DRAFTS = {"POST /models/cancel-deployment"}
"""Here the body names a workflow in place of a project, and everybody may end what they have begun."""

OF_GUARDRAILS = ("probe/{probe_id}", "rule/{rule_id}", "custom-probe/{probe_id}")

OWN_ROWS = {
    "POST /credentials/{credential_id}/rotate",
    "PUT /billing/alerts/{alert_id}",
    "DELETE /billing/alerts/{alert_id}",
    "GET /experiments/workflow/{workflow_id}",
    *(f"{method} /guardrails/{kind}" for method in ("PUT", "DELETE") for kind in OF_GUARDRAILS),
}
"""Here the request that is valid is the one of the row's owner, whoever calls."""


async def explain(client: httpx.AsyncClient, by: Person, **query: Any) -> dict[str, Any]:
    answer = await client.get("/permissions/explain", params=query, headers=by.headers)
    assert answer.status_code == 200, answer.text
    explanation: dict[str, Any] = answer.json()["explanation"]
    return explanation


async def make_rows(client: httpx.AsyncClient, cast: Cast, database: Database) -> dict[str, list[str]]:
    """One row in everybody's tenant that some reach and some don't, and one that nobody has, per kind of id."""
    project = await data.create(client, cast.manager)
    await data.join(database, project["id"], cast.developer, scopes=("project:manage", "endpoint:view"))
    owned = await data.create(client, cast.client, name="Customer's")
    role = await make_role(client, cast.manager, "Narrow", "cluster:manage")
    user = await users.create(client, cast)
    return {
        "project_id": [project["id"], owned["id"], str(uuid4())],
        "role_id": [role["id"], str(uuid4())],
        "user_id": [user["id"], str(cast.manager.id), str(uuid4())],
    }


NAMED_BY_TEXT = {"GET /prompts/prompt-config/{prompt_name}", "GET /prompts/tools/{tool}"}
"""Here a text names what is looked for, and an explanation is about the permission alone."""

QUERIES = {"/events": {"max_seconds": "1"}}
"""What requests need besides their paths: a stream of events ends only when it is asked to."""


def judged() -> list[tuple[str, APIRoute]]:
    """The routes that ask for somebody, those that take things away last."""
    asking = [(method_of(name), route) for name, route in ROUTES.items() if declared(route).kind != "public"]
    return sorted(asking, key=lambda each: (each[0] == "DELETE", "remove" in each[1].path))


@pytest.mark.parametrize("name", PEOPLE)
async def test_what_is_explained_is_what_happens_at_every_route(
    client: httpx.AsyncClient, cast: Cast, database: Database, name: str
) -> None:
    person: Person = getattr(cast, name)
    rows = await make_rows(client, cast, database)
    wrong = []
    for method, route in judged():
        parameters = re.findall(r"{(\w+)}", route.path_format)
        for row_id in rows.get(parameters[0], [str(uuid4())]) if parameters else [None]:
            query = {"method": method, "path": route.path_format} | ({"id": row_id} if row_id else {})
            if method == "DELETE" and row_id == str(cast.manager.id):
                continue
            told = await explain(client, person, **query)
            body = BODIES.get(route.path_format, BODY)
            sent: dict[str, Any] = {"params": QUERIES.get(route.path_format), "json": body}
            answer = await client.request(method, url(route, row_id), headers=person.headers, **sent)
            expected = told["status"] or "other"
            real = answer.status_code if answer.status_code in {401, 403, 404} else "other"
            of_peer = f"{method} {route.path_format}" in ROWS_OF_PEERS | NAMED_BY_TEXT
            if real == 404 and ("{" not in route.path_format or of_peer):
                real = "other"  # there is nothing yet of what the route shows, whoever asks
            if expected == 404 and answer.status_code == 422:
                continue  # what is malformed is refused before the row is looked for
            others = route.path_format in NOT_THE_ROW_IN_THE_PATH or len(parameters) > 1
            if others and told["allowed"] and real == 404:
                real = "other"
            if expected != real:
                wrong.append(f"{method} {answer.url}: told {expected}, got {answer.status_code} {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)


async def test_explanations_agree_with_the_access_matrix(surface: Surface) -> None:
    """Which a test of its own holds against the real answers, to valid requests about the same rows."""
    wrong = []
    callers = [name for name, kind in CALLERS.items() if kind.person is not None and not kind.expired]
    for operation, route in ROUTES.items():
        row_id = row_of(operation, route, surface.scene.here)
        if row_id is None or operation in NOTED_AT_SIGN_IN | OWN_DRAFTS | ROWS_OF_PEERS:
            continue
        if operation.startswith("GET "):
            await surface.prepare(operation, "super_admin", surface.scene.here)
        statuses = expected_at(operation)
        method, _, path = operation.partition(" ")
        for caller in callers:
            person = surface.person(caller)
            assert person is not None
            if operation in OWN_ROWS:
                await surface.prepare(operation, caller, surface.scene.here)
            told = await explain(surface.client, person, method=method, path=path, id=row_id)
            expected = statuses[caller] if statuses[caller] in {"401", "403", "404"} else "None"
            if str(told["status"]) != expected or None in [step["passed"] for step in told["steps"]]:
                wrong.append(f"{operation} as {caller}: {statuses[caller]}, explained {told['steps']}")
    assert not wrong, "\n".join(wrong)


def row_of(operation: str, route: APIRoute, things: Things) -> str | None:
    """The id of the row that the route is about, if it is about one; that of a project where the body names one."""
    parameter = row_parameter(route)
    valid = SHARE_OF[operation].requests.get(operation)
    parameter = valid.path.get(parameter, parameter) if valid and parameter else parameter
    if parameter is None and isinstance(access_of(route), RequiresInProject):
        return things["project_id"]
    return things[parameter] if parameter is not None and declared(route).kind != "public" else None


async def test_an_explanation_says_what_is_held_and_by_what(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await data.create(client, cast.manager)
    await data.join(database, project["id"], cast.developer, scopes=("endpoint:manage",))
    role = await make_role(client, cast.manager, "Planners", "project:view")
    await assign(client, cast.manager, cast.developer.id, role["id"])
    grant = [{"name": "cluster:manage", "has_permission": True}]
    await client.put(f"/permissions/{cast.developer.id}/global", json=grant, headers=cast.manager.headers)
    query = {"user_id": cast.developer.id, "method": "patch", "path": f"/v1/projects/{project['id']}"}
    told = await explain(client, cast.manager, **query)
    assert (told["route"], told["asks_for"]) == ("PATCH /projects/{project_id}", "project:manage")
    assert (told["allowed"], told["status"]) == (False, 403)
    assert told["reason"] == "Permission required: project:manage in the project"
    assert [(step["check"], step["passed"]) for step in told["steps"]] == [
        ("account", True),
        ("permission", True),
        ("row", False),
    ]
    member = f"membership in project {project['id']}"
    assert {held["scope"]: held["held_by"] for held in told["scopes"]} == {
        "project:view": ["custom role Planners"],
        "cluster:manage": ["grant"],
        "cluster:view": ["implied by cluster:manage (grant)"],
        "endpoint:manage": [member],
        "endpoint:view": [f"implied by endpoint:manage ({member})"],
    }


async def test_a_right_in_a_project_is_explained_by_the_membership_there(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await data.create(client, cast.manager)
    await data.join(database, project["id"], cast.developer, scopes=("endpoint:manage",))
    told = await explain(client, cast.developer, method="POST", path="/datasets", id=project["id"])
    assert (told["asks_for"], told["allowed"]) == ("endpoint:manage", True)
    held = {held["scope"]: held["held_by"] for held in told["scopes"]}
    assert held["endpoint:manage"] == [f"membership in project {project['id']}"]
    dataset = await client.post(
        "/datasets", json={"name": "Set", "project_id": project["id"]}, headers=cast.developer.headers
    )
    path = f"/datasets/{dataset.json()['dataset']['id']}/versions"
    assert (await explain(client, cast.developer, method="POST", path=path))["allowed"] is True
    assert (await explain(client, cast.tester, method="POST", path=path))["status"] == 404
    open_question = await explain(client, cast.developer, method="POST", path="/datasets")
    assert [step["passed"] for step in open_question["steps"]] == [True, True, None]


async def test_what_was_withdrawn_is_explained(client: httpx.AsyncClient, cast: Cast) -> None:
    taken = [{"name": "cluster:view", "has_permission": False}]
    await client.put(f"/permissions/{cast.developer.id}/global", json=taken, headers=cast.manager.headers)
    told = await explain(client, cast.manager, user_id=cast.developer.id, method="GET", path="/users/")
    assert told["withdrawn"] == ["cluster:view"]
    assert "cluster:view" not in {held["scope"] for held in told["scopes"]}
    taken = [{"name": "model:view", "has_permission": False}]
    await client.put(f"/permissions/{cast.developer.id}/global", json=taken, headers=cast.manager.headers)
    told = await explain(client, cast.developer, method="GET", path="/models/")
    assert (told["status"], told["withdrawn"]) == (403, ["cluster:view", "model:manage", "model:view"])
    assert told["steps"][-1]["detail"].endswith("which was withdrawn from the person")


async def test_without_an_id_the_row_is_left_open(client: httpx.AsyncClient, cast: Cast) -> None:
    told = await explain(client, cast.developer, method="DELETE", path="/projects/{project_id}")
    assert [step["passed"] for step in told["steps"]] == [True, True, None]


async def test_a_deleted_person_is_told_to_be_out(client: httpx.AsyncClient, cast: Cast) -> None:
    user = await users.create(client, cast)
    await client.delete(f"/users/{user['id']}", headers=cast.admin.headers)
    told = await explain(client, cast.admin, user_id=user["id"], method="GET", path="/users/me")
    assert (told["status"], told["steps"][0]["passed"]) == (401, False)


async def test_others_are_explained_to_whoever_may_see_users_only(client: httpx.AsyncClient, cast: Cast) -> None:
    query = {"method": "GET", "path": "/users/"}
    url = "/permissions/explain"
    refused = await client.get(url, params=query | {"user_id": str(cast.tester.id)}, headers=cast.developer.headers)
    foreign = await client.get(url, params=query | {"user_id": str(cast.tester.id)}, headers=cast.other_admin.headers)
    unknown = await client.get(url, params=query | {"path": "/nowhere"}, headers=cast.developer.headers)
    assert [answer.status_code for answer in (refused, foreign, unknown)] == [403, 404, 404]
    assert unknown.json()["param"] == "path"
    assert (await explain(client, cast.invited, **query))["status"] == 403


async def test_nobody_is_explained_to_whoever_has_not_set_a_password_yet(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    seeing = UserPermission(tenant_id=cast.tenant_id, user_id=cast.invited.id, scope="user:view")
    await data.add(database, seeing)
    query = {"method": "GET", "path": "/users/", "user_id": str(cast.tester.id)}
    refused = await client.get("/permissions/explain", params=query, headers=cast.invited.headers)
    assert refused.status_code == 403


async def test_an_explanation_costs_few_statements(
    client: httpx.AsyncClient, cast: Cast, statements: list[str]
) -> None:
    project = await data.create(client, cast.manager)
    await client.get("/users/me", headers=cast.manager.headers)
    statements.clear()
    await explain(client, cast.manager, method="PATCH", path="/projects/{project_id}", id=project["id"])
    assert len(statements) <= 3


@pytest.mark.parametrize("active", [True, False])
async def test_the_command_line_explains_too(cast: Cast, settings: Settings, database: Database, active: bool) -> None:
    async with database.write() as session:
        tenant = await session.get(Tenant, cast.tenant_id)
        assert tenant is not None
        tenant.is_active = active
    command = ["authz", "explain", cast.developer.email, "GET /users/", "--tenant", settings.default_realm_name]
    explained = await budapp(settings, *command)
    assert explained.status == 1, explained.stderr
    verdict = "403: Permission required: user:manage" if active else "401: Their tokens do not count"
    assert verdict in explained.stdout
    assert "role developer" in explained.stdout
