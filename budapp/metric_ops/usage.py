"""What was used, day by day: of projects, deployments, models or API keys; as a list, and as CSV."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession
from budapp.commons.schemas import Answer, Schema
from budapp.commons.spreadsheets import csv_line
from budapp.integrations import traffic as peer
from budapp.integrations.peers import Json
from budapp.integrations.traffic import Group, Traffic
from budapp.metric_ops.looking import Look, look, names_for, refuse_clients
from budapp.metric_ops.requests import Filters, QueryIds

LONGEST_DAYS = 92
_SERIES = {"requests": "requests", "success_count": "succeeded", "error_count": "failed", "tokens": "tokens"}
_ANALYTICS = {"request_count": "requests", "success_request": "succeeded", "failure_request": "failed"}
_TOKENS = ("input_token", "output_token")

By = Literal["project", "endpoint", "model", "api_key"]


class UsageQuery(Schema):
    """Days in UTC, the first and the last one included; the last 30 days where none are named."""

    by: By = "project"
    from_day: date | None = None
    to_day: date | None = None
    project_id: QueryIds | None = None
    endpoint_id: QueryIds | None = None
    model_id: QueryIds | None = None

    @property
    def last(self) -> date:
        """The last day."""
        return self.to_day or datetime.now(UTC).date()

    @property
    def first(self) -> date:
        """The first day."""
        return self.from_day or self.last - timedelta(days=29)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        try:
            days = (self.last - self.first).days
            self.last + timedelta(days=1)
        except OverflowError:
            raise ValueError("to_day must be a day of this age") from None
        if not 0 <= days < LONGEST_DAYS:
            raise ValueError(f"to_day must be from_day or later, and the days {LONGEST_DAYS} at most")
        return self

    def filters(self) -> Filters:
        """Return what is looked at."""
        return Filters(project_id=self.project_id, endpoint_id=self.endpoint_id, model_id=self.model_id)


class UsageRow(Schema):
    """A day of one project, deployment, model or key; budmetrics says no costs by key."""

    day: date = Field(description="In UTC")
    id: UUID | None = Field(description="The project, deployment, model or key; null where requests had none")
    name: str | None
    requests: int = 0
    succeeded: int = Field(default=0, description="How many requests succeeded")
    failed: int = Field(default=0, description="How many requests failed")
    tokens: int = 0
    cost: Annotated[float, Field(allow_inf_nan=False)] | None = Field(
        default=None, description="What it cost, in the platform's currency; null by key, as budmetrics does not tell"
    )


class UsageByDay(Answer):
    """The newest day first; days without requests are left out."""

    object: Literal["usage"] = "usage"
    message: str = "Usage found"
    by: By = Field(description="What there is a row for each of, day by day")
    from_day: date = Field(description="The first day, in UTC")
    to_day: date = Field(description="The last day, in UTC")
    rows: list[UsageRow]


class Usage:
    """Looks at what was used. Errors are those of `Metrics`; no database connection is held meanwhile."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    async def rows(self, session: ReadSession, caller: Caller, query: UsageQuery) -> list[UsageRow]:
        """Return the days on which there was something, the newest first.

        Raises:
            Forbidden: a customer's user asks for keys, by which budmetrics does not count theirs.
        """
        if query.by == "api_key":
            refuse_clients(caller)
        found = await look(session, caller, query.filters())
        if found is None:
            return []
        pairs = await (self._by_key(found, query) if query.by == "api_key" else self._by_day(found, caller, query))
        names = await names_for(session, caller, (row for row, _ in pairs))
        column = _column(caller, query.by)
        rows = []
        for row, figures in pairs:
            about = getattr(row, column)
            rows.append(UsageRow(id=about, name=names.of(query.by, about), **figures))
        return sorted(rows, key=lambda row: (row.day, row.requests), reverse=True)

    async def _by_day(self, found: Look, caller: Caller, query: UsageQuery) -> list[tuple[Group, Json]]:
        group_by = "user_project" if caller.is_client and query.by == "project" else query.by
        body = {
            **_period(query, found),
            "interval": "1d",
            "metrics": [*_SERIES, "cost"],
            "group_by": [group_by],
            "fill_gaps": False,
        }
        answer = await self._traffic.series(found.scope, body)
        return [(group, _of_point(point)) for group in answer.groups for point in group.data_points]

    async def _by_key(self, found: Look, query: UsageQuery) -> list[tuple[Group, Json]]:
        period = _period(query, found)
        filters = {name.removesuffix("_id"): values for name, values in period.pop("filters").items()}
        body = {
            **period,
            "filters": filters,
            "frequency_unit": "day",
            "metrics": [*_ANALYTICS, *_TOKENS],
            "group_by": ["api_key"],
            "return_delta": False,
            "fill_time_gaps": False,
        }
        answer = await self._traffic.analytics(found.scope, body)
        return [(row, _of_row(period, row)) for period in answer.items for row in period.items or ()]


def as_csv(rows: Iterable[UsageRow]) -> Iterator[bytes]:
    """Yield the rows as CSV that is safe to open in a spreadsheet."""
    names = list(UsageRow.model_fields)
    yield csv_line(names)
    for row in rows:
        yield csv_line("" if getattr(row, name) is None else str(getattr(row, name)) for name in names)


def _column(caller: Caller, by: By) -> str:
    return "api_key_project_id" if by == "project" and caller.is_client else f"{by}_id"


def _period(query: UsageQuery, found: Look) -> Json:
    start = datetime(query.first.year, query.first.month, query.first.day, tzinfo=UTC)
    end = start + timedelta(days=(query.last - query.first).days + 1)
    return {"from_date": start.isoformat(), "to_date": end.isoformat(), "filters": found.filters}


def _of_point(point: peer.Point) -> Json:
    values = {name: int(point.values.get(wire) or 0) for wire, name in _SERIES.items()}
    return {**values, "cost": point.values.get("cost"), "day": point.timestamp.date()}


def _of_row(period: peer.PeriodBin, row: peer.AnalyticsRow) -> Json:
    counts = {wire: int(figure.count or 0) for wire, figure in row.data.items()}
    values = {name: counts.get(wire, 0) for wire, name in _ANALYTICS.items()}
    return {**values, "tokens": sum(counts.get(name, 0) for name in _TOKENS), "day": period.time_period.date()}
