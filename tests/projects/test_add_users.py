import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.integrations.keycloak import Keycloak
from budapp.project_ops.schemas import MEMBER_SCOPES
from tests.cast import Cast, Person, Realms
from tests.projects.data import MISSING, add_user, body_of, create, emails, join, members_of, messages

VIEW = ["endpoint:view"]


async def add(client: httpx.AsyncClient, person: Person, id: str, *users: dict[str, Any]) -> httpx.Response:
    body = {"users": [{"scopes": VIEW, **user} for user in users]}
    return await client.post(f"/projects/{id}/add-users", json=body, headers=person.headers)


def by_id(person: Person) -> dict[str, Any]:
    return {"user_id": str(person.id)}


async def test_users_are_added_by_id_and_by_email_with_what_their_scopes_imply(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.admin)
    answer = await add(
        client,
        cast.manager,
        project["id"],
        {**by_id(cast.developer), "scopes": ["endpoint:manage", "project:manage"]},
        {"email": cast.tester.email.upper(), "scopes": ["endpoint:view", "endpoint:view"]},
        by_id(cast.invited),
    )
    assert answer.status_code == 200
    members = await members_of(database, project["id"])
    assert members[cast.developer.id] == list(MEMBER_SCOPES)
    assert members[cast.tester.id] == members[cast.invited.id] == ["endpoint:view"]


async def test_everyone_gets_a_mail_and_those_who_have_an_account_a_notification(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.admin, description="Maps")
    answer = await add(client, cast.admin, project["id"], by_id(cast.developer), {"email": "new.one@example.com"})
    assert answer.status_code == 200, answer.text
    sent = await messages(database)
    notified = [p for _, p in sent if p.get("payload", {}).get("type") == "project_invitation_success"]
    assert [p["subscriber_ids"] for p in notified] == [[str(cast.developer.id)]]
    assert notified[0]["payload"]["content"]["result"] == {"target_type": "project", "target_id": project["id"]}
    invites = [(row, p["payload"]["content"]) for row, p in sent if p.get("name") == "bud-project-invite"]
    mails = {content["user"]["name"]: (row, content) for row, content in invites}
    assert mails.keys() == {"developer", "new.one"}
    _, known = mails["developer"]
    assert (known["user"].get("password"), known["user"]["is_budserve_user"]) == (None, True)
    assert known["project"]["url"].endswith(f"/projects/{project['id']}")
    row, new = mails["new.one"]
    assert new["user"]["is_budserve_user"] is False
    assert new["project"].items() >= {"name": "Atlas", "description": "Maps"}.items()
    password = new["user"]["password"]
    assert len(password) >= 12
    assert row.payload is None
    assert password not in (row.payload_encrypted or "")


async def test_the_password_in_the_mail_opens_the_new_account(
    client: httpx.AsyncClient, cast: Cast, database: Database, app: FastAPI, realms: Realms
) -> None:
    project = await create(client, cast.admin)
    assert (await add(client, cast.admin, project["id"], {"email": "key.holder@example.com"})).status_code == 200
    [content] = [p["payload"]["content"] for _, p in await messages(database) if p.get("name") == "bud-project-invite"]
    tokens = await components_of(app)[Keycloak].sign_in(
        realms.clients[0], "key.holder@example.com", content["user"]["password"], remember=False
    )
    assert tokens["access_token"]


@pytest.mark.parametrize(("project_type", "user_type"), [("admin_app", "admin"), ("client_app", "client")])
async def test_whoever_is_unknown_is_invited_as_a_developer_of_the_projects_kind(
    client: httpx.AsyncClient, cast: Cast, database: Database, project_type: str, user_type: str
) -> None:
    project = await create(client, cast.admin, project_type=project_type)
    new = [{"email": f"{user_type}-{n}@example.com"} for n in range(2)]
    assert (await add(client, cast.admin, project["id"], *new)).status_code == 200
    answer = await client.get(f"/projects/{project['id']}/users", headers=cast.admin.headers)
    users = {user["email"]: user for user in answer.json()["users"]}
    for item in new:
        user = users[item["email"]]
        assert (user["role"], user["status"], user["user_type"]) == ("developer", "invited", user_type)


async def test_a_client_may_add_to_their_own_project(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    project = await create(client, cast.client)
    friend = await add_user(database, cast.tenant_id, "friend", user_type="client")
    assert (await add(client, cast.client, project["id"], by_id(friend))).status_code == 200


async def test_a_client_can_not_be_added_to_an_admin_app(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.admin)
    answer = await add(client, cast.admin, project["id"], by_id(cast.developer), {"email": cast.client.email})
    assert answer.status_code == 400
    assert await members_of(database, project["id"]) == {cast.admin.id: list(MEMBER_SCOPES)}


async def test_a_deleted_user_can_not_be_added(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    project = await create(client, cast.admin)
    gone = await add_user(database, cast.tenant_id, "gone", status="deleted")
    for user in (by_id(gone), {"email": gone.email}):
        assert (await add(client, cast.admin, project["id"], user)).status_code == 400


async def test_another_tenants_user_is_as_if_not_there(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.admin)
    answers = [
        await add(client, cast.admin, project["id"], by_id(cast.developer), {"user_id": str(user_id)})
        for user_id in (cast.other_admin.id, MISSING)
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert body_of(answers[0]) == body_of(answers[1])
    assert cast.developer.id not in await members_of(database, project["id"])


async def test_one_who_is_in_already_refuses_all_and_invites_nobody(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.admin)
    before = await emails(database)
    users = [by_id(cast.developer), {"email": "nobody.yet@example.com"}, by_id(cast.admin)]
    assert (await add(client, cast.admin, project["id"], *users)).status_code == 409
    assert list(await members_of(database, project["id"])) == [cast.admin.id]
    assert await emails(database) == before
    assert await messages(database) == []


async def test_somebody_named_twice_is_422(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    project = await create(client, cast.admin)
    twice = [
        (by_id(cast.developer), by_id(cast.developer)),
        (by_id(cast.developer), {"email": cast.developer.email}),
        ({"email": "new@example.com"}, {"email": "NEW@example.com"}),
    ]
    for users in twice:
        answer = await add(client, cast.admin, project["id"], *users)
        assert (answer.status_code, answer.json()["param"]) == (422, "users")
    assert list(await members_of(database, project["id"])) == [cast.admin.id]


@pytest.mark.parametrize(
    ("user", "param"),
    [
        ({}, "users.0.email"),
        ({"user_id": str(MISSING), "email": "a@example.com"}, "users.0.email"),
        ({"user_id": "1"}, "users.0.user_id"),
        ({"email": "nobody"}, "users.0.email"),
        ({"user_id": str(MISSING), "scopes": []}, "users.0.scopes"),
        ({"user_id": str(MISSING), "scopes": ["model:view"]}, "users.0.scopes.0"),
        ({"user_id": str(MISSING), "scopes": None}, "users.0.scopes"),
    ],
)
async def test_a_malformed_user_is_422_and_named(
    client: httpx.AsyncClient, cast: Cast, user: dict[str, Any], param: str
) -> None:
    project = await create(client, cast.admin)
    answer = await add(client, cast.admin, project["id"], user)
    assert (answer.status_code, answer.json()["param"]) == (422, param)


@pytest.mark.parametrize("body", [{}, {"users": []}, {"users": None}, []])
async def test_nobody_to_add_is_422(client: httpx.AsyncClient, cast: Cast, body: Any) -> None:
    project = await create(client, cast.admin)
    answer = await client.post(f"/projects/{project['id']}/add-users", json=body, headers=cast.admin.headers)
    assert answer.status_code == 422


async def test_of_parallel_additions_of_one_user_one_succeeds(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.admin)
    answers = await asyncio.gather(*(add(client, cast.admin, project["id"], by_id(cast.developer)) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


async def test_of_parallel_invitations_of_one_address_one_succeeds_and_can_sign_in(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.admin)
    new = {"email": "wanted.twice@example.com"}
    answers = await asyncio.gather(*(add(client, cast.admin, project["id"], new) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert len(await members_of(database, project["id"])) == 2


async def test_an_existing_member_can_not_be_invited_again_by_email(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.admin)
    await join(database, project["id"], cast.tester)
    assert (await add(client, cast.admin, project["id"], {"email": cast.tester.email})).status_code == 409
