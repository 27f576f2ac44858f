"""Probes and rules: presets, which all tenants share, and the tenant's own."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, Text, and_, column, exists, func, literal_column, or_, select
from sqlalchemy.dialects.postgresql import JSONB

from budapp.commons.crud import Crud, Page, fetch_page
from budapp.commons.database import ReadSession, not_deleted
from budapp.commons.errors import NotFound
from budapp.commons.paging import Paging, equal, matching
from budapp.guardrail_ops.models import GuardrailProbe, GuardrailRule, GuardrailStatus
from budapp.guardrail_ops.schemas import ProbeQuery, RuleQuery
from budapp.model_ops.models import Model
from budapp.provider_ops.models import Provider

_PROBE = (
    *("id", "name", "uri", "description", "icon", "tags", "probe_type", "provider_type", "provider_id", "status"),
    *("created_by", "created_at", "modified_at"),
)
_RULE = (
    *("id", "probe_id", "name", "uri", "description", "icon", "examples", "status", "guard_types", "modality_types"),
    *("scanner_type", "model_uri", "model_provider_type", "is_gated", "model_config_json", "created_by", "created_at"),
    "modified_at",
)
_PROVIDER = ("id", "name", "description", "type", "icon", "is_active", "capabilities")
_SORTS = ("id", "name", "status", "created_at", "modified_at")
SORTABLE = {name: getattr(GuardrailProbe, name) for name in _SORTS}
RULES_SORTABLE = {name: getattr(GuardrailRule, name) for name in _SORTS}
_LIVE = and_(GuardrailRule.probe_id == GuardrailProbe.id, not_deleted(GuardrailRule))


def _provider() -> Any:
    fields: list[Any] = []
    for name in _PROVIDER:
        fields += [literal_column(f"'{name}'"), getattr(Provider, name)]
    found = select(func.jsonb_build_object(*fields, type_=JSONB)).where(Provider.id == GuardrailProbe.provider_id)
    return found.correlate(GuardrailProbe).scalar_subquery().label("provider")


def _of_rules(name: str) -> Any:
    """Return the different values that the probe's rules have in a column of lists."""
    values = func.unnest(getattr(GuardrailRule, name)).table_valued(column("value", Text)).render_derived(name="value")
    listed = select(func.array_agg(values.c.value.distinct())).select_from(GuardrailRule)
    found = listed.join(values, literal_column("true")).where(_LIVE)
    empty: Any = literal_column("array[]::varchar[]")
    return func.coalesce(found.correlate(GuardrailProbe).scalar_subquery(), empty).label(name)


def _scanners() -> Any:
    found = select(func.array_agg(GuardrailRule.scanner_type.distinct()))
    known = found.where(_LIVE, GuardrailRule.scanner_type.is_not(None))
    empty: Any = literal_column("array[]::varchar[]")
    return func.coalesce(known.correlate(GuardrailProbe).scalar_subquery(), empty).label("scanner_types")


def probe_columns() -> list[Any]:
    """Return the columns of a `ProbeView`."""
    count = select(func.count()).select_from(GuardrailRule).where(_LIVE).correlate(GuardrailProbe).scalar_subquery()
    lists = [_of_rules(name) for name in ("guard_types", "modality_types", "examples")]
    return [
        *(getattr(GuardrailProbe, name) for name in _PROBE),
        _provider(),
        count.label("rule_count"),
        *lists,
        _scanners(),
    ]


class SharedCrud(Crud[Any]):
    """Rows of no tenant, and those of the caller's."""

    def reach(self) -> list[Any]:
        """Return presets and the tenant's own."""
        own = or_(self.model.tenant_id.is_(None), self.model.tenant_id == self.caller.tenant_id)
        return [own, not_deleted(self.model)]


class ProbeCrud(SharedCrud):
    """Probes."""

    model = GuardrailProbe

    async def page_of_probes(self, query: ProbeQuery) -> Page:
        """Return a page of `ProbeView` columns, those that are active unless others are asked for."""
        with_status = GuardrailProbe.status == (query.status or GuardrailStatus.ACTIVE)
        found = self.visible(*probe_columns()).where(*wanted_probes(query), with_status)
        return await self.page(query, found, SORTABLE, "name")

    async def view(self, probe_id: UUID) -> Row[Any]:
        """Return the columns of a `ProbeView`, or raise `NotFound`."""
        statement = self.visible(*probe_columns()).where(GuardrailProbe.id == probe_id)
        row: Row[Any] | None = (await self.session.execute(statement)).first()
        if row is None:
            raise NotFound("Probe not found")
        return row

    async def page_of_tags(self, paging: Paging, name: str | None) -> Page:
        """Return a page of the tags that probes have, by name."""
        return await page_of_tags(self.session, paging, self.visible(GuardrailProbe.tags), name)

    async def page_of_custom(self, paging: Paging) -> Page:
        """Return a page of the tenant's own probes with the model of their first rule, the newest first."""
        own = self.visible(*custom_columns()).where(GuardrailProbe.tenant_id.is_not(None))
        found = own.outerjoin_from(GuardrailProbe, GuardrailRule, _FIRST_RULE)
        return await self.page(paging, found, SORTABLE)

    async def custom(self, probe_id: UUID) -> Row[Any]:
        """Return the columns of a `CustomProbeView`, or raise `NotFound`."""
        statement = self.visible(*custom_columns()).outerjoin_from(GuardrailProbe, GuardrailRule, _FIRST_RULE)
        row: Row[Any] | None = (await self.session.execute(statement.where(GuardrailProbe.id == probe_id))).first()
        if row is None:
            raise NotFound("Probe not found")
        return row


_FIRST_RULE = GuardrailRule.id == (
    select(GuardrailRule.id)
    .where(_LIVE)
    .order_by(GuardrailRule.id)
    .limit(1)
    .correlate(GuardrailProbe)
    .scalar_subquery()
)


def _model_id(tenant_id: Any) -> Any:
    """Return the tenant's model that a rule names by its address."""
    same = (Model.uri == GuardrailRule.model_uri, Model.tenant_id == tenant_id, not_deleted(Model))
    found = select(Model.id).where(*same).order_by(Model.id).limit(1)
    return found.correlate(GuardrailRule, GuardrailProbe).scalar_subquery().label("model_id")


def custom_columns() -> list[Any]:
    """Return the columns of a `CustomProbeView`."""
    names = ("id", "name", "description", "icon", "probe_type", "status", "created_at", "modified_at")
    of_rule = ("scanner_type", "model_uri", "model_config_json")
    empty: Any = literal_column("array[]::varchar[]")
    lists = [
        func.coalesce(getattr(GuardrailRule, name), empty).label(name) for name in ("guard_types", "modality_types")
    ]
    own = [getattr(GuardrailProbe, name) for name in names]
    return [*own, *(getattr(GuardrailRule, name) for name in of_rule), *lists, _model_id(GuardrailProbe.tenant_id)]


def wanted_probes(query: ProbeQuery) -> list[ColumnElement[bool]]:
    """Return the conditions for the probes that a list is asked for, but for their status."""
    conditions = equal(query, provider_id=GuardrailProbe.provider_id, provider_type=GuardrailProbe.provider_type)
    conditions += matching(query, name=GuardrailProbe.name)
    if query.tags:
        conditions.append(or_(*(GuardrailProbe.tags.contains([{"name": tag}]) for tag in query.tags)))
    return conditions


def rule_columns(tenant_id: Any) -> list[Any]:
    """Return the columns of a `GuardrailRuleView`, with the tenant's model."""
    return [*(getattr(GuardrailRule, name) for name in _RULE), _model_id(tenant_id)]


def enabled(query: RuleQuery, status: Any) -> list[ColumnElement[bool]]:
    """Return the condition for the query's `is_enabled`, if it has one, on the status that counts."""
    if query.is_enabled is None:
        return []
    return [status == GuardrailStatus.ACTIVE if query.is_enabled else status != GuardrailStatus.ACTIVE]


class RuleCrud(SharedCrud):
    """Rules."""

    model = GuardrailRule

    def reach(self) -> list[Any]:
        """Add that the probe is there."""
        return [
            *super().reach(),
            exists().where(GuardrailProbe.id == GuardrailRule.probe_id, not_deleted(GuardrailProbe)),
        ]

    async def page_of_probe(self, probe_id: UUID, query: RuleQuery) -> Page:
        """Return a page of `GuardrailRuleView` columns of a probe that is in reach, by name."""
        conditions = [GuardrailRule.probe_id == probe_id, *matching(query, name=GuardrailRule.name)]
        conditions += equal(query, status=GuardrailRule.status)
        conditions += enabled(query, GuardrailRule.status)
        found = self.visible(*rule_columns(self.caller.tenant_id)).where(*conditions)
        return await self.page(query, found, RULES_SORTABLE, "name")

    async def view(self, rule_id: UUID) -> Row[Any]:
        """Return the columns of a `GuardrailRuleView`, or raise `NotFound`."""
        statement = self.visible(*rule_columns(self.caller.tenant_id)).where(GuardrailRule.id == rule_id)
        row: Row[Any] | None = (await self.session.execute(statement)).first()
        if row is None:
            raise NotFound("Rule not found")
        return row


def _of_tenant(table: Any, tenant_id: UUID) -> ColumnElement[bool]:
    return and_(or_(table.tenant_id.is_(None), table.tenant_id == tenant_id), table.status == "active")


async def active_probes(session: ReadSession, tenant_id: UUID, ids: Collection[UUID]) -> dict[UUID, GuardrailProbe]:
    """Return those of the probes that the tenant can use now, by id."""
    wanted = (GuardrailProbe.id.in_(ids), _of_tenant(GuardrailProbe, tenant_id))
    return {row.id: row for row in await session.scalars(select(GuardrailProbe).where(*wanted))}


async def active_rules(session: ReadSession, tenant_id: UUID, probe_ids: Collection[UUID]) -> Sequence[GuardrailRule]:
    """Return the rules of the probes that the tenant can use now, by probe and name."""
    wanted = (GuardrailRule.probe_id.in_(probe_ids), _of_tenant(GuardrailRule, tenant_id))
    ordered = select(GuardrailRule).where(*wanted).order_by(GuardrailRule.probe_id, GuardrailRule.name)
    return (await session.scalars(ordered)).all()


async def page_of_tags(session: ReadSession, paging: Paging, tags: Select[Any], name: str | None) -> Page:
    """Return a page of the tags in a select of lists of tags: each name once, by name."""
    lists = tags.subquery("lists")
    entries = func.jsonb_to_recordset(lists.c.tags).table_valued(column("name", Text), column("color", Text))
    tag = entries.render_derived(name="tag", with_types=True)
    found = select(tag.c.name.label("id"), tag.c.name, func.min(tag.c.color).label("color")).select_from(lists)
    grouped = found.join(tag, literal_column("true")).group_by(tag.c.name)
    if name is not None:
        grouped = grouped.where(func.lower(tag.c.name).contains(name.lower(), autoescape=True))
    rows = grouped.subquery("tags")
    return await fetch_page(session, paging, select(rows), {"id": rows.c.id, "name": rows.c.name}, "name")


async def has_presets(session: ReadSession) -> bool:
    """Tell whether there are any presets."""
    return (
        await session.scalar(select(GuardrailProbe.id).where(GuardrailProbe.tenant_id.is_(None)).limit(1)) is not None
    )
