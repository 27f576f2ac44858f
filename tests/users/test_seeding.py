"""Seeding again: what is there stays as people have made it."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.integrations.keycloak import Keycloak
from budapp.integrations.outgoing import Outgoing
from budapp.provider_ops.catalog import sync_from
from budapp.provider_ops.models import Provider
from budapp.provider_ops.seeds import ensure_providers
from budapp.user_ops.accounts import ensure_administrator
from budapp.user_ops.models import User
from tests.cast import PASSWORD, Cast
from tests.models.test_cloud_catalog import provider, written


class Seeding:
    """Brings a tenant's first administrator into being, as each deployment does."""

    def __init__(self, app: FastAPI, cast: Cast) -> None:
        self.components = components_of(app)
        self.email = f"first-{uuid4().hex[:8]}@example.com"
        self.tenant_id = cast.tenant_id
        self.realm = self.components[Settings].default_realm_name

    async def __call__(self) -> None:
        async with self.components[Database].write() as session:
            await ensure_administrator(
                session,
                self.components[Keycloak],
                tenant_id=self.tenant_id,
                realm=self.realm,
                email=self.email,
                password=PASSWORD,
            )

    async def administrator(self) -> User:
        async with self.components[Database].read() as session:
            return (await session.scalars(select(User).where(User.email == self.email))).one()


@pytest.fixture
async def seed(app: FastAPI, cast: Cast) -> AsyncIterator[Seeding]:
    seeding = Seeding(app, cast)
    yield seeding
    keycloak = seeding.components[Keycloak]
    found = await keycloak.find_user(seeding.realm, seeding.email)
    if found is not None:
        await keycloak.delete_user(seeding.realm, found)


async def sign_in(client: httpx.AsyncClient, seed: Seeding, password: str = PASSWORD) -> int:
    body = {"email": seed.email, "password": password, "tenant_id": str(seed.tenant_id)}
    return (await client.post("/auth/login", json=body)).status_code


async def test_the_first_administrator_signs_in_with_the_password_of_the_settings(
    client: httpx.AsyncClient, seed: Seeding
) -> None:
    await seed()
    first = await seed.administrator()
    await seed()
    assert (await seed.administrator()).id == first.id
    assert (first.role, first.user_type, first.status) == ("super_admin", "admin", "active")
    assert await sign_in(client, seed) == 200


async def test_an_administrator_who_was_demoted_stays_so(client: httpx.AsyncClient, cast: Cast, seed: Seeding) -> None:
    await seed()
    path = f"/users/{(await seed.administrator()).id}"
    changed = await client.patch(path, json={"role": "tester", "name": "Jo"}, headers=cast.admin.headers)
    assert changed.status_code == 200, changed.text
    await seed()
    found = await seed.administrator()
    assert (found.role, found.name, found.status) == ("tester", "Jo", "active")
    assert "super_admin" not in await roles_in_keycloak(seed)


async def roles_in_keycloak(seed: Seeding) -> set[str]:
    admin = seed.components[Keycloak].admin(seed.realm)
    found = await admin.a_get_realm_roles_of_user((await seed.administrator()).auth_id)
    return {role["name"] for role in found}


async def test_an_administrator_who_was_deleted_is_not_let_in_again(
    client: httpx.AsyncClient, cast: Cast, seed: Seeding
) -> None:
    await seed()
    path = f"/users/{(await seed.administrator()).id}"
    assert (await client.delete(path, headers=cast.admin.headers)).status_code == 200
    await seed()
    assert (await seed.administrator()).status == "deleted"
    assert await sign_in(client, seed) == 400


async def test_a_password_that_was_changed_stays(client: httpx.AsyncClient, cast: Cast, seed: Seeding) -> None:
    await seed()
    own = f"{PASSWORD}-of-my-own"
    changed = await client.patch(
        f"/users/{(await seed.administrator()).id}", json={"password": own}, headers=cast.admin.headers
    )
    assert changed.status_code == 200, changed.text
    await seed()
    assert await sign_in(client, seed) == 400
    assert await sign_in(client, seed, own) == 200


async def active_providers(database: Database) -> set[str]:
    async with database.read() as session:
        return set(await session.scalars(select(Provider.type).where(Provider.is_active)))


async def test_the_catalog_that_comes_along_is_for_who_has_none(
    app: FastAPI, database: Database, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "catalog_source", written(tmp_path, provider("own", "own/model")))

    async def seed_providers() -> set[str]:
        async with database.write() as session:
            await ensure_providers(session, components_of(app))
        return await active_providers(database)

    assert "openai" in await seed_providers(), "a new installation has something to begin with"
    await sync_from(database, Outgoing(), settings.catalog_source)
    assert await seed_providers() == {"own"}
