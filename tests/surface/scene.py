"""The scene of the surface tests: the same kinds of rows in both tenants, under the same names.

The rows themselves are the domains' own: `seed` and `seed_project` of their shares.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import text
from uuid_utils.compat import uuid7

from budapp.commons.config import Settings
from budapp.commons.database import Base, Database, WriteSession
from budapp.commons.domain import components_of
from budapp.commons.scopes import UserRole, UserType
from budapp.integrations.keycloak import Keycloak, NewUser, RealmClient
from budapp.project_ops.models import ProjectType
from budapp.project_ops.schemas import MEMBER_SCOPES
from budapp.user_ops.callers import Callers
from tests.cast import PASSWORD, Account, Cast, Person, Realms, Role, tenant_row, user_row
from tests.emptying import empty
from tests.surface.copies import Copies
from tests.surface.share import SeedContext, Things
from tests.surface.shares import SHARES

Members = Sequence[tuple[UUID, Sequence[str]]]

GROWS_BY_REFUSALS = {"audit_trail", "audit_unsealed"}
"""Tables that even a request which is refused adds to."""

_SCENE_SECONDS = 1200
"""After how long the scene is entered anew: links and uploads in it run out after an hour."""

READER = Role(0, UserRole.TESTER, UserType.ADMIN)


@dataclass(frozen=True)
class Extras:
    """Accounts beside the cast's: someone who may only read, and in each realm three for requests to act on.

    `throw_away` and `deleted` get disabled, enabled and renamed; `visitor` only ever signs in. `idle_realm` is of a
    tenant that nobody is in; what requests make has a name that begins with it.
    """

    reader: Account
    throw_away: list[Account]
    deleted: list[Account]
    visitor: list[Account]
    idle_realm: str


async def make_extras(app: FastAPI, realms: Realms) -> Extras:
    """Make the accounts, once for all tests of a worker."""
    keycloak = components_of(app)[Keycloak]

    async def enrol(realm: int, name: str, *, signed_in: bool = False) -> Account:
        client, email = realms.clients[realm], f"{name}@example.com"
        auth_id = await keycloak.create_user(client.realm, NewUser(email, name, PASSWORD, [UserRole.DEVELOPER]))
        tokens = await keycloak.sign_in(client, email, PASSWORD, remember=False) if signed_in else {}
        return Account(auth_id, email, tokens)

    reader = await enrol(0, "reader", signed_in=True)
    throw_away = await asyncio.gather(*(enrol(realm, "throw-away") for realm in (0, 1)))
    deleted = await asyncio.gather(*(enrol(realm, "deleted") for realm in (0, 1)))
    visitor = await asyncio.gather(*(enrol(realm, "visitor") for realm in (0, 1)))
    idle_realm = f"{realms.clients[0].realm}-idle"
    await keycloak.create_realm(idle_realm, list(UserRole))
    return Extras(reader, throw_away, deleted, visitor, idle_realm)


async def remove_idle_realms(app: FastAPI, extras: Extras) -> None:
    """Remove the realm of the idle tenant, and those of tenants that requests have made."""
    keycloak = components_of(app)[Keycloak]
    for realm in await keycloak.admin(components_of(app)[Settings].keycloak_realm_name).a_get_realms():
        if realm["realm"].startswith(extras.idle_realm):
            await keycloak.delete_realm(realm["realm"])


@dataclass(frozen=True)
class Scene:
    """`here` are the things of the tenant whose people call, `there` those of the other one.

    `hidden` are things of the first tenant that only its client reaches.
    """

    cast: Cast
    reader: Person
    here: Things
    there: Things
    hidden: Things


async def enter_scene(database: Database, realms: Realms, extras: Extras) -> Scene:
    """Empty the database and put the cast and the things in."""
    await empty(database)
    cast = await Cast.enter(database, realms)
    async with database.write() as session:
        reader = await _enter_reader(session, cast, extras)
        full = [(person.id, MEMBER_SCOPES) for person in (cast.manager, cast.developer)]
        here = await _seed(_context(session, 0, cast.manager, [*full, (reader.id, MEMBER_SCOPES[::2])], extras))
        others = [(person.id, MEMBER_SCOPES) for person in (cast.other_admin, cast.other_developer)]
        there = await _seed(_context(session, 1, cast.other_admin, others, extras))
        clients = _context(session, 0, cast.client, [(cast.client.id, MEMBER_SCOPES)], extras)
        hidden = await _seed(replace(clients, project_type=ProjectType.CLIENT_APP), project_only=True)
        idle = tenant_row(uuid7(), RealmClient(extras.idle_realm, "bud", ""))
        session.add(idle)
    idle_tenant = {"idle_tenant_id": str(idle.id)}
    return Scene(cast, reader, here | idle_tenant, there | idle_tenant, hidden)


def fresh(extras: Extras) -> Things:
    """Return names that nothing has yet: what requests make in Keycloak outlives a test."""
    new = uuid7().hex
    return {"fresh": new, "new_realm": f"{extras.idle_realm}-{new[-8:]}"}


async def _enter_reader(session: WriteSession, cast: Cast, extras: Extras) -> Person:
    row = user_row(cast.tenant_id, "reader", extras.reader, READER)
    session.add(row)
    await session.flush()
    return Person(row.id, cast.tenant_id, row.email, extras.reader.tokens)


def _context(session: WriteSession, realm: int, owner: Person, members: Members, extras: Extras) -> SeedContext:
    return SeedContext(session, realm, owner, list(members), extras, {})


async def _seed(context: SeedContext, *, project_only: bool = False) -> Things:
    """Put in what each domain brings for a tenant and a project of it, or for a project alone."""
    for share in SHARES:
        for seed in (None if project_only else share.seed, share.seed_project):
            if seed is not None:
                found = await seed(context)
                assert not found.keys() & context.things.keys(), f"{share.domain}: these names are taken: {found}"
                context.things.update(found)
    return context.things


OF_NO_TENANT = {"provider_id", "cloud_provider_id", "eval_dataset_id", "trait_id", "moderation_provider_id"}
"""Things that all tenants share."""


def ids_of(*things: Things) -> Iterator[str]:
    """Yield those of the things that are ids of something of a tenant."""
    for value in {value for some in things for name, value in some.items() if name not in OF_NO_TENANT}:
        try:
            yield str(UUID(value))
        except ValueError:
            continue


async def fingerprints(database: Database, tenant_id: UUID | None = None) -> dict[str, str]:
    """Return a digest of each table's rows: all of them, or those of one tenant."""
    digests = []
    for table in Base.metadata.sorted_tables:
        if table.name in GROWS_BY_REFUSALS or (tenant_id is not None and "tenant_id" not in table.columns):
            continue
        where = f" where tenant_id = '{tenant_id}'" if tenant_id is not None else ""
        rows = f"select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from \"{table.name}\" t{where}"
        digests.append(f"select '{table.name}', ({rows})")
    async with database.read() as session:
        return dict(map(tuple, await session.execute(text(" union all ".join(digests)))))


class Stage:
    """Keeps the scene in the database; what a test has changed is put back before the next."""

    def __init__(self, database: Database, callers: Callers, realms: Realms, extras: Extras) -> None:
        self._database = database
        self._callers = callers
        self._realms = realms
        self._extras = extras
        self._copies = Copies(database)
        self._scene: Scene | None = None
        self._entered_at = 0.0

    async def restored(self) -> Scene:
        """Return the scene as it is at its beginning, with new names for what requests make."""
        if self._scene is None or time.monotonic() - self._entered_at > _SCENE_SECONDS:
            self._scene = await enter_scene(self._database, self._realms, self._extras)
            self._entered_at = time.monotonic()
            await self._copies.take()
            self._callers.forget_all()
        elif await self._copies.put_back():
            self._callers.forget_all()
        scene, new = self._scene, fresh(self._extras)
        return replace(scene, here=scene.here | new, there=scene.there | new, hidden=dict(scene.hidden))
