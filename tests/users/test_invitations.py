"""Inviting people by mail."""

import asyncio
from uuid import uuid4

import httpx
import pytest

from budapp.commons.database import Database
from tests.auth.test_password_resets import mails
from tests.cast import PASSWORD, Cast, Person


async def invite(client: httpx.AsyncClient, person: Person, **changes: object) -> httpx.Response:
    body = {"email": f"guest-{uuid4().hex[:8]}@example.com", "role": "tester", **changes}
    return await client.post("/users/invitations", json=body, headers=person.headers)


async def accept(client: httpx.AsyncClient, token: str, password: str = PASSWORD) -> httpx.Response:
    body = {"token": token, "new_password": password, "confirm_password": password}
    return await client.post("/users/reset-password-with-token", json=body)


async def login(client: httpx.AsyncClient, email: str, **more: object) -> httpx.Response:
    return await client.post("/auth/login", json={"email": email, "password": PASSWORD, **more})


@pytest.mark.parametrize("inviter", ["manager", "other_admin"])
async def test_the_mailed_link_lets_somebody_into_the_inviting_tenant_once(
    client: httpx.AsyncClient, cast: Cast, database: Database, inviter: str
) -> None:
    person: Person = getattr(cast, inviter)
    invited = await invite(client, person, name="Guest")
    assert invited.status_code == 200, invited.text
    user = invited.json()["user"]
    assert (user["status"], user["role"], user["user_type"]) == ("invited", "tester", "admin")
    [mail] = await mails(database)
    assert mail["user_name"] == "Guest"

    answers = await asyncio.gather(*(accept(client, mail["token"]) for _ in range(3)))

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400]
    signed_in = await login(client, user["email"], tenant_id=str(person.tenant_id))
    headers = {"Authorization": f"Bearer {signed_in.json()['token']['access_token']}"}
    me = (await client.get("/users/me", headers=headers)).json()["user"]
    assert (me["id"], me["status"]) == (user["id"], "active")


async def test_a_second_invitation_makes_the_first_link_worthless(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    user = (await invite(client, cast.manager)).json()["user"]
    again = await client.post(f"/users/{user['id']}/invitation", headers=cast.manager.headers)
    assert again.status_code == 200, again.text
    first, second = await mails(database)
    assert (await accept(client, first["token"])).status_code == 400
    assert (await accept(client, second["token"], "weak-password")).status_code == 422
    assert (await accept(client, second["token"])).status_code == 200
    late = await client.post(f"/users/{user['id']}/invitation", headers=cast.manager.headers)
    assert late.status_code == 400


async def test_an_invitation_is_taken_back_by_deleting_the_user(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    user = (await invite(client, cast.manager)).json()["user"]
    await client.delete(f"/users/{user['id']}", headers=cast.manager.headers)
    [mail] = await mails(database)
    assert (await accept(client, mail["token"])).status_code == 400
    back = await client.patch(f"/users/{user['id']}/reactivate", headers=cast.manager.headers)
    assert back.status_code == 200, back.text
    assert (await accept(client, mail["token"])).status_code == 400, "the link that was taken back is good again"


async def test_nobody_invites_to_more_than_they_hold_or_twice_or_without_the_right(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    assert (await invite(client, cast.developer)).status_code == 403
    assert (await invite(client, cast.manager, role="super_admin")).status_code == 422
    taken = await invite(client, cast.manager, email=cast.tester.email.upper())
    assert (taken.status_code, taken.json()["param"]) == (409, "email")
    assert await mails(database) == []


async def test_asking_for_a_new_password_does_not_cut_an_invitation_short(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    user = (await invite(client, cast.manager)).json()["user"]
    await client.post("/users/reset-password", json={"email": user["email"]})
    first, second = await mails(database)
    assert first["expires_in_minutes"] == second["expires_in_minutes"] == 72 * 60
    assert (await accept(client, second["token"])).status_code == 200
