"""What has become of every row, table by table."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel

EXAMPLES = 20
"""How many rows of each reason are named."""


class Reason(BaseModel):
    """Something that is true of rows, and which: the first of them by their ids."""

    text: str
    count: int = 0
    rows: list[str] = []


class TableReport(BaseModel):
    """What has become of the rows of an old table.

    Attributes:
        source: the old table.
        target: ours; None where it has no place here.
        read: how many rows it has.
        brought: how many have come now.
        there: how many had come before, or were here anyway.
        left: how many have not come, and why.
        remarks: what is worth knowing of rows that have come.
        here: how many of our rows they are now.
        no_home: the table as a whole has no place here.
        part: it is about something of the rows, which another report counts.
    """

    source: str
    target: str | None
    read: int = 0
    brought: int = 0
    there: int = 0
    left: list[Reason] = []
    remarks: list[Reason] = []
    here: int | None = None
    no_home: bool = False
    part: bool = False

    def leave(self, row: object, reason: str) -> None:
        """Say why a row has not come."""
        _add(self.left, row, reason)

    def remark(self, row: object, text: str) -> None:
        """Say something of a row that has come."""
        _add(self.remarks, row, text)

    @property
    def left_rows(self) -> int:
        """How many rows have not come."""
        return sum(reason.count for reason in self.left)


def _add(reasons: list[Reason], row: object, text: str) -> None:
    found = next((reason for reason in reasons if reason.text == text), None)
    if found is None:
        found = Reason(text=text)
        reasons.append(found)
    found.count += 1
    if len(found.rows) < EXAMPLES:
        found.rows.append(str(row))


class Accounts(BaseModel):
    """Whether the people of a realm have accounts in Keycloak.

    Attributes:
        realm: which.
        problem: why nobody has looked; None where somebody has.
        checked: how many people were looked for.
        missing: those without an account, who can't sign in.
    """

    realm: str
    problem: str | None = None
    checked: int = 0
    missing: list[str] = []


class RealmRights(BaseModel):
    """Whether what people may do was read from a realm of Keycloak; `problem` says why not."""

    realm: str
    problem: str | None = None
    people: int = 0


class Report(BaseModel):
    """What has become of the whole database, and of the realms' clients."""

    check: bool
    tables: list[TableReport] = []
    rights: list[RealmRights] = []
    clients: dict[str, str] = {}
    accounts: list[Accounts] = []
    seconds: float = 0

    @property
    def refused(self) -> int:
        """How many rows have not come though their table has a place here."""
        return sum(table.left_rows for table in self.tables if not table.no_home)

    def lines(self) -> Iterator[str]:
        """Return the report for people."""
        yield from _rows(self.tables)
        yield from _reasons("Left", ((table.source, table.left) for table in self.tables))
        yield from _reasons("Came, but", ((table.source, table.remarks) for table in self.tables))
        yield from _rights(self.rights)
        if self.clients:
            yield from ("", "Clients in Keycloak:", *(f"  {realm}: {found}" for realm, found in self.clients.items()))
        yield from _accounts(self.accounts)
        yield from self._summary()

    def _summary(self) -> Iterator[str]:
        whole = [table for table in self.tables if not table.part]
        read, brought, there = (sum(getattr(table, name) for table in whole) for name in ("read", "brought", "there"))
        homeless = sum(table.left_rows for table in whole if table.no_home)
        verb = "would come" if self.check else "came"
        yield ""
        yield (
            f"{read} rows of {len(whole)} tables read in {self.seconds:.1f} s: "
            f"{brought} {verb}, {there} are here already, {self.refused} left, "
            f"{homeless} of tables that have no place here."
        )
        if self.check:
            yield "Nothing was written. Run it without --check to bring them."


def _rows(tables: Sequence[TableReport]) -> Iterator[str]:
    width = max([len("old table"), *(len(table.source) for table in tables)])
    ours = max([len("our table"), *(len(table.target or "") for table in tables)])
    heads = " ".join(f"{name:>9}" for name in ("read", "brought", "there", "left", "here"))
    yield f"{'old table':<{width}}  {'our table':<{ours}}  {heads}"
    for table in tables:
        here = "" if table.here is None else table.here
        yield (
            f"{table.source:<{width}}  {table.target or '-':<{ours}}  "
            f"{table.read:>9} {table.brought:>9} {table.there:>9} {table.left_rows:>9} {here:>9}"
        )


def _reasons(head: str, found: Iterable[tuple[str, list[Reason]]]) -> Iterator[str]:
    lines = [line for source, reasons in found for line in _of_table(source, reasons)]
    if lines:
        yield from ("", f"{head}:", *lines)


def _of_table(source: str, reasons: list[Reason]) -> Iterator[str]:
    for reason in reasons:
        named = ", ".join(reason.rows[:5]) + (", ..." if reason.count > len(reason.rows[:5]) else "")
        yield f"  {source}: {reason.count} x {reason.text}" + (f" ({named})" if reason.rows else "")


def _rights(found: Sequence[RealmRights]) -> Iterator[str]:
    if found:
        yield from ("", "What people may do, by Keycloak:")
    for one in found:
        if one.problem is not None:
            yield f"  {one.realm}: by their roles and the old permission table alone: {one.problem}"
        else:
            yield f"  {one.realm}: read, of {one.people} people; the others hold nothing there"


def _accounts(found: Sequence[Accounts]) -> Iterator[str]:
    if found:
        yield from ("", "Accounts in Keycloak:")
    for one in found:
        if one.problem is not None:
            yield f"  {one.realm}: not checked: {one.problem}"
        else:
            yield f"  {one.realm}: {one.checked - len(one.missing)} of {one.checked} people have one"
            yield from (f"    without: {email}" for email in one.missing[:EXAMPLES])


def homeless(source: str, read: int, reason: str) -> TableReport:
    """Return the report of a table that has no place here."""
    left = [Reason(text=reason, count=read)] if read else []
    return TableReport(source=source, target=None, read=read, left=left, no_home=True)


def counts(report: TableReport) -> Counter[str]:
    """Return the counts of a table by name, for logs and the audit trail."""
    names = ("read", "brought", "there")
    return Counter({name: getattr(report, name) for name in names} | {"left": report.left_rows})


def as_json(report: Report) -> dict[str, Any]:
    """Return the report for programs."""
    return report.model_dump(mode="json") | {"refused": report.refused}
