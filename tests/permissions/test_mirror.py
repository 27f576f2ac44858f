"""What is changed in Keycloak's console shows here, and is never undone from here."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from structlog.testing import capture_logs

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.errors import AppError, Unavailable
from budapp.commons.scopes import UserRole
from budapp.integrations.keycloak import Keycloak
from budapp.user_ops.callers import Callers
from budapp.user_ops.keycloak_mirror import KeycloakMirror, role_of
from budapp.user_ops.models import User
from tests.cast import PASSWORD, Cast, Person
from tests.permissions.people import assign, held, make_role
from tests.projects.data import messages
from tests.refused_commits import refusing
from tests.users.test_users import create

ALL = list(UserRole)


class Console:
    """Changes people in Keycloak as somebody at its console would: nothing here hears of it."""

    def __init__(self, app: FastAPI, database: Database) -> None:
        self.keycloak: Keycloak = components_of(app)[Keycloak]
        self.mirror: KeycloakMirror = components_of(app)[KeycloakMirror]
        self.database = database
        self.realm: str = components_of(app)[Settings].default_realm_name

    async def row(self, person: Person) -> User:
        async with self.database.read() as session:
            return (await session.execute(select(User).where(User.id == person.id))).scalar_one()

    async def set_role(self, person: Person, *roles: str) -> None:
        auth_id = (await self.row(person)).auth_id
        await self.keycloak.set_role(self.realm, auth_id, roles[0] if roles else "tester", ALL)
        admin = self.keycloak.admin(self.realm)
        more = [await admin.a_get_realm_role(role) for role in roles[1:]]
        if more:
            await admin.a_assign_realm_roles(auth_id, more)
        if not roles:
            await admin.a_delete_realm_roles_of_user(auth_id, [await admin.a_get_realm_role("tester")])

    async def held(self, person: Person) -> frozenset[str]:
        account = await self.keycloak.account(self.realm, (await self.row(person)).auth_id, ALL)
        assert account is not None
        return account.roles


@pytest.fixture
def console(app: FastAPI, database: Database) -> Console:
    return Console(app, database)


@pytest.fixture
async def person(client: httpx.AsyncClient, cast: Cast, database: Database) -> Person:
    """An administrator with an account of their own, signed in."""
    user = await create(client, cast, role="admin")
    async with database.write() as session:
        row = await session.get(User, UUID(user["id"]))
        assert row is not None
        row.status = "active"
    answer = await client.post("/auth/login", json={"email": user["email"], "password": PASSWORD})
    return Person(UUID(user["id"]), cast.tenant_id, user["email"], answer.json()["token"])


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (("developer",), "developer"),
        (("tester", "admin"), "admin"),
        (("super_admin",), "super_admin"),
        ((), "tester"),
    ],
)
async def test_a_role_given_in_the_console_counts_after_the_next_run(
    client: httpx.AsyncClient, person: Person, console: Console, roles: tuple[str, ...], expected: str
) -> None:
    assert (await client.get("/users/me", headers=person.headers)).json()["user"]["role"] == "admin"
    await console.set_role(person, *roles)
    await console.mirror.mirror_all()
    assert (await client.get("/users/me", headers=person.headers)).json()["user"]["role"] == expected


async def test_a_role_given_in_the_console_counts_from_the_next_sign_in(
    client: httpx.AsyncClient, person: Person, console: Console
) -> None:
    await console.set_role(person, "developer")
    assert (await client.get("/users/", headers=person.headers)).status_code == 200
    answer = await client.post("/auth/login", json={"email": person.email, "password": PASSWORD})
    token = answer.json()["token"]["access_token"]
    assert (await client.get("/users/", headers={"Authorization": f"Bearer {token}"})).status_code == 403


@pytest.mark.parametrize("how", ["disabled", "deleted"])
async def test_who_is_disabled_or_deleted_in_the_console_is_out_after_the_next_run(
    client: httpx.AsyncClient, cast: Cast, person: Person, console: Console, how: str
) -> None:
    assert (await client.get("/users/me", headers=person.headers)).status_code == 200
    auth_id = (await console.row(person)).auth_id
    if how == "disabled":
        await console.keycloak.set_enabled(console.realm, auth_id, enabled=False)
    else:
        await console.keycloak.delete_user(console.realm, auth_id)
    await console.mirror.mirror_all()
    assert (await client.get("/users/me", headers=person.headers)).status_code == 401
    assert (await client.get("/users/me", headers=cast.tester.headers)).status_code == 200
    last, _ = (await messages(console.database))[-1]
    assert (last.method, last.path) == ("DELETE", f"subscribers/{person.id}")
    back = await client.patch(f"/users/{person.id}/reactivate", headers=cast.admin.headers)
    assert back.status_code == (200 if how == "disabled" else 404)
    assert (await client.get("/users/me", headers=person.headers)).status_code == 401


async def test_who_is_enabled_again_in_the_console_stays_out_until_reactivated_here(
    client: httpx.AsyncClient, person: Person, console: Console
) -> None:
    auth_id = (await console.row(person)).auth_id
    await console.keycloak.set_enabled(console.realm, auth_id, enabled=False)
    await console.mirror.mirror_all()
    await console.keycloak.set_enabled(console.realm, auth_id, enabled=True)
    await console.mirror.mirror_all()
    assert (await client.post("/auth/login", json={"email": person.email, "password": PASSWORD})).status_code == 400


@pytest.mark.parametrize("change", [{"name": "Renamed"}, {"role": "admin"}, {"company": "Acme"}])
async def test_no_write_of_ours_undoes_a_demotion_that_has_not_arrived_yet(
    client: httpx.AsyncClient, cast: Cast, person: Person, console: Console, change: dict[str, Any]
) -> None:
    await console.set_role(person, "tester")
    changed = await client.patch(f"/users/{person.id}", json=change, headers=cast.admin.headers)
    assert changed.status_code == 200
    assert await console.held(person) == {"tester"}
    await console.mirror.mirror_all()
    assert (await console.row(person)).role == "tester"


async def test_a_change_that_fails_at_the_commit_brings_back_what_keycloak_held_not_what_we_thought(
    app: FastAPI, person: Person, console: Console
) -> None:
    await console.set_role(person, "developer")
    auth_id = (await console.row(person)).auth_id
    before = await console.keycloak.set_role(console.realm, auth_id, "devops", ALL)
    await console.keycloak.restore_roles(console.realm, auth_id, "devops", before, ALL)
    assert await console.held(person) == {"developer"}
    before = await console.keycloak.set_role(console.realm, auth_id, "admin", ALL)
    await console.set_role(person, "tester")
    await console.keycloak.restore_roles(console.realm, auth_id, "admin", before, ALL)
    assert await console.held(person) == {"tester"}


async def test_keycloak_is_as_before_when_a_change_of_ours_fails_to_commit(
    client: httpx.AsyncClient, cast: Cast, person: Person, console: Console, database: Database
) -> None:
    path, headers = f"/users/{person.id}", cast.admin.headers
    async with refusing(database, "user", "update"):
        assert (await client.patch(path, json={"role": "tester"}, headers=headers)).status_code == 500
        assert (await client.delete(path, headers=headers)).status_code == 500
    assert await console.held(person) == {"admin"}
    signed_in = await client.post("/auth/login", json={"email": person.email, "password": PASSWORD})
    assert signed_in.status_code == 200, signed_in.text


async def test_a_run_beside_a_change_of_ours_never_brings_the_former_role_back(
    client: httpx.AsyncClient, cast: Cast, person: Person, console: Console
) -> None:
    for role in ("tester", "admin", "developer", "admin"):
        runs = [console.mirror.mirror_user(person.id, console.realm) for _ in range(3)]
        beside = asyncio.gather(console.mirror.mirror_all(), console.mirror.mirror_all(), *runs)
        changed = await client.patch(f"/users/{person.id}", json={"role": role}, headers=cast.admin.headers)
        await beside
        assert changed.status_code == 200, changed.text
        assert (await console.row(person)).role == role
        assert await console.held(person) == {role}


async def test_the_last_administrator_can_be_demoted_in_the_console_and_it_is_said_loudly(
    cast: Cast, person: Person, console: Console, database: Database
) -> None:
    async with database.write() as session:
        for other in (cast.admin, cast.manager):
            row = await session.get(User, other.id)
            assert row is not None
            row.status = "invited"
    await console.set_role(person, "tester")
    with capture_logs() as logs:
        await console.mirror.mirror_user(person.id, console.realm)
    assert (await console.row(person)).role == "tester"
    assert "tenant_without_administrator" in {entry["event"] for entry in logs if entry["log_level"] == "error"}


async def test_a_custom_role_survives_a_new_built_in_role_but_not_the_highest(
    client: httpx.AsyncClient, cast: Cast, person: Person, console: Console
) -> None:
    role = await make_role(client, cast.admin, "Narrow", "model:view")
    await assign(client, cast.admin, person.id, role["id"])
    await console.set_role(person, "developer")
    await console.mirror.mirror_all()
    assert await held(client, person) == {"model:view"}
    await console.set_role(person, "super_admin")
    await console.mirror.mirror_all()
    row = await console.row(person)
    assert (row.role, row.custom_role_id) == ("super_admin", None)


async def test_a_realm_of_several_pages_is_read_to_its_end(
    cast: Cast, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await console.keycloak.accounts(console.realm, ALL)
    monkeypatch.setattr("budapp.integrations.keycloak._PAGE_SIZE", 2)
    async with asyncio.timeout(60):
        assert await console.keycloak.accounts(console.realm, ALL) == whole
    developers = [account for account in whole.values() if "developer" in account.roles]
    assert len(developers) > 2


async def test_a_realm_that_knows_nobody_puts_nobody_out(
    client: httpx.AsyncClient, cast: Cast, console: Console, app: FastAPI
) -> None:
    empty = f"{console.realm}-empty"
    await console.keycloak.ensure_realm(empty, ALL)
    try:
        await console.mirror.mirror_tenant(cast.tenant_id, empty)
    finally:
        await console.keycloak.delete_realm(empty)
    assert (await client.get("/users/me", headers=cast.tester.headers)).status_code == 200


async def test_a_realm_that_is_gone_does_not_keep_the_others_back(
    client: httpx.AsyncClient, cast: Cast, person: Person, console: Console, database: Database
) -> None:
    await console.set_role(person, "developer")
    with pytest.raises(AppError):
        await console.mirror.mirror_tenant(cast.tenant_id, "no-such-realm")
    await console.mirror.mirror_all()
    assert (await console.row(person)).role == "developer"


async def test_nothing_changes_while_keycloak_is_down(cast: Cast, app: FastAPI, console: Console) -> None:
    settings = components_of(app)[Settings].model_copy(update={"keycloak_server_url": "http://127.0.0.1:9"})
    lost = Keycloak(settings)
    mirror = KeycloakMirror(console.database, lost, components_of(app)[Callers])
    with pytest.raises(Unavailable):
        await mirror.mirror_user(cast.tester.id, console.realm)
    assert (await console.row(cast.tester)).status == "active"
    await lost.close()


def test_several_roles_count_as_the_first_of_them_and_none_as_the_least() -> None:
    assert role_of(["developer", "tester", "offline_access"]) == "tester"
    assert role_of(["offline_access"]) == role_of([]) == "tester"
