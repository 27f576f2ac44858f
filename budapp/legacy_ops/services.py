"""Brings the database of the service that was in use before into this one."""

import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError

from budapp.audit import hash_chain
from budapp.commons.database import Database, WriteSession
from budapp.commons.encryption import Encryption
from budapp.commons.errors import AppError, BadRequest, NotFound, Unavailable
from budapp.integrations.keycloak import Keycloak
from budapp.legacy_ops import crud
from budapp.legacy_ops.declarations import Context, Rights
from budapp.legacy_ops.legacy_crud import OldDatabase, open_old
from budapp.legacy_ops.moving import PAGE, Mover, Progress, Unit
from budapp.legacy_ops.realm_clients import ensure_audience
from budapp.legacy_ops.realm_rights import read_rights
from budapp.legacy_ops.report import Accounts, RealmRights, Report, TableReport, homeless
from budapp.legacy_ops.tables import MOVES, NO_HOME

_AGAIN = "What has come is kept; run this again to go on."


class _Undo(Exception):
    """Ends a unit of work whose changes are not to be kept."""


@dataclass(frozen=True)
class Upgrade:
    """One run of the upgrade.

    Attributes:
        url: the address of the former service's database.
        database: ours.
        keycloak: where both services' people sign in.
        context: what conversions need.
        progress: is told how far it is.
        page: how many rows are kept together.
    """

    url: str
    database: Database
    keycloak: Keycloak
    context: Context
    progress: Progress
    page: int = PAGE

    async def run(self, *, check: bool) -> Report:
        """Bring over what has not come yet, and say what has become of every row.

        Args:
            check: bring it only to see what would come; nothing is kept.

        Raises:
            BadRequest: the database is not the former service's, or the realm is not in it.
            Conflict: another upgrade is at work.
            Unavailable: one of the databases can't be reached, or refuses us.
        """
        try:
            return await self._run(check=check)
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise Unavailable(f"The former service's database: {error}. {_AGAIN}") from error
        except DBAPIError as error:
            reason = str(error.orig.__cause__ if error.orig else error).partition("\n")[0]
            raise Unavailable(f"This service's own database: {reason}. Has budapp migrate run? {_AGAIN}") from error

    async def _run(self, *, check: bool) -> Report:
        begun = time.monotonic()
        report = Report(check=check)
        async with open_old(self.url, self.context.realm) as old:
            await old.check([one.source for one in (*MOVES, *NO_HOME)])
            await self._check_realm(old)
            clients = await old.clients()
            rights = {one.realm: await read_rights(self.keycloak, one.realm, one.id) for one in clients}
            report.rights = [_read(realm, found) for realm, found in rights.items()]
            known = {realm: found for realm, found in rights.items() if isinstance(found, Rights)}
            units = _tried if check else _kept
            async with units(self.database) as unit:
                report.tables = await self._tables(old, unit, replace(self.context, rights=known))
                async with unit() as session:
                    people = await crud.people(session)
        if not check:
            await self._seal_trail()
        report.clients = {
            one.realm: await ensure_audience(self.keycloak, one.realm, one.id, one.name, check=check) for one in clients
        }
        report.accounts = await self._accounts(people)
        report.seconds = time.monotonic() - begun
        return report

    async def _seal_trail(self) -> None:
        """Give what has come its place in the chain: an old entry without one looks as if somebody had put it in."""
        while await hash_chain.seal(self.database):
            pass

    async def _check_realm(self, old: OldDatabase) -> None:
        realms = await old.realms()
        if self.context.realm not in realms:
            raise BadRequest(
                f"The former service has no tenant with the realm {self.context.realm}; it has: "
                f"{', '.join(realms) or 'none'}. Name the platform's own by --realm"
            )

    async def _tables(self, old: OldDatabase, unit: Unit, context: Context) -> list[TableReport]:
        moves = {move.name: move for move in MOVES}
        mover = Mover(old, unit, moves, context, self.encryption, self.progress, self.page)
        reports = [await mover.move(move) for move in MOVES]
        for move, report in zip(MOVES, reports, strict=True):
            await mover.set_later(move, report)
        return reports + [homeless(one.source, await old.count(one.source), one.reason) for one in NO_HOME]

    @property
    def encryption(self) -> Encryption:
        """What secrets are sealed with."""
        return self.database.encryption

    async def _accounts(self, people: Sequence[Row[Any]]) -> list[Accounts]:
        realms = sorted({row.realm_name for row in people})
        return [await self._accounts_of(realm, [row for row in people if row.realm_name == realm]) for realm in realms]

    async def _accounts_of(self, realm: str, people: Iterable[Row[Any]]) -> Accounts:
        if not await self.keycloak.healthy():
            return Accounts(realm=realm, problem="Keycloak can't be reached at KEYCLOAK_SERVER_URL")
        try:
            known = await self.keycloak.accounts(realm, ())
        except NotFound:
            return Accounts(realm=realm, problem="Keycloak has no realm of this name")
        except AppError as error:
            return Accounts(realm=realm, problem=f"Keycloak has not said who is in the realm: {error}")
        looked = list(people)
        return Accounts(
            realm=realm, checked=len(looked), missing=[row.email for row in looked if row.auth_id not in known]
        )


def _read(realm: str, found: Rights | str) -> RealmRights:
    if isinstance(found, str):
        return RealmRights(realm=realm, problem=found)
    return RealmRights(realm=realm, people=len(found.people))


@asynccontextmanager
async def _kept(database: Database) -> AsyncIterator[Unit]:
    yield database.write


@asynccontextmanager
async def _tried(database: Database) -> AsyncIterator[Unit]:
    """Give the same unit of work each time, which is undone at the end."""
    try:
        async with database.write() as session:
            await crud.be_patient(session)

            @asynccontextmanager
            async def unit() -> AsyncIterator[WriteSession]:
                yield session

            yield unit
            raise _Undo
    except _Undo:
        return
