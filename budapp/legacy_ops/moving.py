"""Brings the rows of one old table over, a page at a time; each is kept with the notes of what has come."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from budapp.audit.models import Action, ResourceType
from budapp.audit.recorder import record
from budapp.commons.database import WriteSession
from budapp.commons.encryption import Encryption
from budapp.gateway_changes import services as gateway_changes
from budapp.legacy_ops import crud
from budapp.legacy_ops.columns import fit, seal_all, table_of
from budapp.legacy_ops.declarations import Context, Left, Move, Old, Ref, Row, id_of
from budapp.legacy_ops.legacy_crud import OldDatabase, Record
from budapp.legacy_ops.report import TableReport, counts

PAGE = 1000

_MISSHAPEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a value raises that is of another kind than it should be, such as a number where JSON had an object."""

Unit = Callable[[], AbstractAsyncContextManager[WriteSession]]
"""Opens a unit of work, whose changes are kept together."""

Progress = Callable[[TableReport], None]
"""Is told how far a table is, after each page."""


@dataclass(frozen=True)
class Mover:
    """Brings tables over.

    Attributes:
        old: the former service's database.
        unit: opens the unit of work that a page is kept by.
        moves: how each old table comes over.
        context: what conversions need.
        encryption: seals secrets.
        progress: is told how far it is.
        page: how many rows are kept together.
    """

    old: OldDatabase
    unit: Unit
    moves: Mapping[str, Move]
    context: Context
    encryption: Encryption
    progress: Progress
    page: int = PAGE

    async def move(self, move: Move) -> TableReport:
        """Bring the table over, and say what has become of its rows."""
        report = TableReport(source=move.name, target=move.target.__tablename__, part=bool(move.part))
        report.here = 0 if move.into is None and not move.part else None
        async for records in self.old.pages(move, self.page):
            async with self.unit() as session:
                await crud.lock(session)
                await _Page(self, move, session, report).bring(records)
            self.progress(report)
        async with self.unit() as session:
            await self._finish(session, move, report)
        return report

    async def set_later(self, move: Move, report: TableReport) -> None:
        """Set the columns that refer to rows which have come after these, where they are null still."""
        for name, source in move.later.items():
            async for records in self.old.pages(move, self.page):
                wanted = {one["id"]: one[name] for one in records if one[name] is not None}
                if wanted:
                    await self._set(move, name, source, wanted, report)

    async def _set(self, move: Move, name: str, source: str, wanted: Mapping[UUID, UUID], report: TableReport) -> None:
        async with self.unit() as session:
            here = await crud.come(session, move.name, wanted)
            values = await crud.come(session, source, set(wanted.values()))
            pairs = {here[old]: values[value] for old, value in wanted.items() if old in here and value in values}
            await crud.set_later(session, table_of(move.target), name, table_of(self.moves[source].target), pairs)
        for old in (old for old, value in wanted.items() if old in here and value not in values):
            report.remark(old, f"without its {name}: that {source} has not come")

    async def _finish(self, session: WriteSession, move: Move, report: TableReport) -> None:
        if not report.brought:
            return
        details = {"from": f"legacy table {move.name}", "table": report.target, **counts(report)}
        record(session, Action.DATA_IMPORT, ResourceType.DATABASE, resource_name=report.target, details=details)
        if getattr(move.target, "feeds_gateway", None) is not None:
            gateway_changes.note(session, gateway_changes.EVERYTHING, "")


def _ids(ref: Ref, value: Any) -> list[UUID]:
    """Return the ids that the value names; none where it is no list of ids, which the row is left for later."""
    try:
        return ref.ids(value)
    except (TypeError, ValueError):
        return []


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An old row that may come, as our rows."""

    old: Old
    rows: list[Row]

    @property
    def id(self) -> UUID:
        found: UUID = self.old["id"]
        return found


class _Page:
    """One page of a table."""

    def __init__(self, mover: Mover, move: Move, session: WriteSession, report: TableReport) -> None:
        self._mover = mover
        self._move = move
        self._session = session
        self._report = report
        self._table = table_of(move.target)

    async def bring(self, records: Sequence[Record]) -> None:
        here = await crud.come(self._session, self._move.name, [one["id"] for one in records])
        self._report.read += len(records)
        self._report.there += len(here)
        await self._count_here(here.values())
        candidates = await self._converted([one for one in records if one["id"] not in here])
        if self._move.natural and not self._move.into:
            candidates = await self._without_alike(candidates)
        refused = await crud.put_in(self._session, self._table, [candidate.rows for candidate in candidates])
        for place, reason in refused.items():
            self._report.leave(candidates[place].id, reason)
        came = [candidate for place, candidate in enumerate(candidates) if place not in refused]
        await self._note({candidate.id: self._target(candidate) for candidate in came})
        self._report.brought += len(came)
        await self._count_here([self._target(candidate) for candidate in came])
        for candidate in came:
            for text in candidate.old.remarks:
                self._report.remark(candidate.id, text)

    async def _converted(self, records: Sequence[Record]) -> list[_Candidate]:
        found = {name: await self._found(name, records) for name in self._move.refs}
        candidates = []
        for one in records:
            old = Old(one, self._move.refs, found, self._mover.context)
            try:
                candidates.append(_Candidate(old, self._rows(old)))
            except Left as left:
                self._report.leave(one["id"], str(left))
            except _MISSHAPEN as error:
                self._report.leave(one["id"], f"it is not as the former service writes it ({type(error).__name__})")
        return candidates

    async def _found(self, name: str, records: Collection[Record]) -> dict[UUID, Mapping[str, Any]]:
        ref = self._move.refs[name]
        ids = {found for one in records for found in _ids(ref, one[name])}
        table = table_of(self._mover.moves[ref.table].target)
        return await crud.referred(self._session, ref.table, table, ids, ref.takes) if ids else {}

    def _rows(self, old: Old) -> list[Row]:
        if self._move.check is not None:
            self._move.check(old)
        if self._move.into is not None:
            if old.ref(self._move.into) is None:
                raise Left(f"it has no {self._move.into}")
            return []
        parts = self._move.rows(old) if self._move.rows is not None else [{}]
        return [self._row(old, part) for part in parts]

    def _row(self, old: Old, part: Row) -> Row:
        row = {column.name: fit(column, self._value(old, column.name, part), old.remark) for column in self._table.c}
        if row.get("tenant_id") is not None:
            self._refuse_other_tenants(old, row["tenant_id"])
        if self._move.finish is not None:
            self._move.finish(row, old)
        seal_all(self._mover.encryption, self._table, row)
        return row

    def _value(self, old: Old, name: str, part: Row) -> Any:
        move = self._move
        if name in part:
            return part[name]
        if name in move.columns:
            return move.columns[name](old)
        if name in move.later:
            return None
        if name == "tenant_id" and move.tenant is not None:
            owner = old.ref(move.tenant)
            return None if owner is None else owner["tenant_id"]
        if name in move.refs:
            return id_of(name)(old)
        return old[name] if old.has(name) else None

    def _refuse_other_tenants(self, old: Old, tenant_id: UUID) -> None:
        for name in self._move.refs:
            if any(other.get("tenant_id") not in {None, tenant_id} for other in old.rows_of(name)):
                raise Left(f"its {name} is of another tenant")

    async def _without_alike(self, candidates: Sequence[_Candidate]) -> list[_Candidate]:
        """Take rows that are here already, under whatever id, for the old ones; return the others."""
        names = self._move.natural
        keys = {candidate.id: tuple(candidate.rows[0][name] for name in names) for candidate in candidates}
        alike = await crud.alike(self._session, self._table, names, set(keys.values())) if keys else {}
        taken = await crud.taken(self._session, self._move.name, alike.values()) if alike else set()
        same, rest = dict[UUID, UUID](), list[_Candidate]()
        for candidate in candidates:
            target = alike.get(keys[candidate.id])
            if target is None:
                rest.append(candidate)
            elif target in taken:
                self._report.leave(candidate.id, f"another row with the same {', '.join(names)} has come")
            else:
                taken.add(target)
                same[candidate.id] = target
        self._report.there += len(same)
        await self._count_here(same.values())
        await self._note(same)
        return rest

    async def _count_here(self, ids: Collection[UUID]) -> None:
        if self._report.here is not None and ids:
            self._report.here += len(await crud.present(self._session, self._table, ids))

    def _target(self, candidate: _Candidate) -> UUID:
        into = self._move.into
        row = candidate.old.ref(into) if into is not None else None
        found: UUID = row["id"] if row is not None else candidate.rows[0]["id"] if candidate.rows else candidate.id
        return found

    async def _note(self, pairs: Mapping[UUID, UUID]) -> None:
        await crud.note(self._session, self._move.name, pairs)
