"""Profiles, what is in them, and where they are at work."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, exists, func, or_, select

from budapp.commons.crud import Crud, Page
from budapp.commons.database import ReadSession, WriteSession, not_deleted
from budapp.commons.errors import NotFound
from budapp.commons.paging import Paging, equal, matching
from budapp.commons.scopes import Scope
from budapp.endpoint_ops.models import Endpoint
from budapp.guardrail_ops.crud import RULES_SORTABLE, enabled, page_of_tags, probe_columns, rule_columns, wanted_probes
from budapp.guardrail_ops.crud import SORTABLE as PROBES_SORTABLE
from budapp.guardrail_ops.models import (
    GuardrailDeployment,
    GuardrailProbe,
    GuardrailProfile,
    GuardrailProfileProbe,
    GuardrailProfileRule,
    GuardrailRule,
    GuardrailRuleDeployment,
)
from budapp.guardrail_ops.schemas import DeploymentQuery, ProbeQuery, ProfileQuery, RuleQuery
from budapp.model_ops.models import Model
from budapp.project_ops.models import Project
from budapp.project_ops.services import projects_holding
from budapp.provider_credential_ops.models import ProviderCredential
from budapp.provider_ops.models import Provider

_SORTS = ("id", "name", "status", "created_at", "modified_at")
SORTABLE = {name: getattr(GuardrailProfile, name) for name in _SORTS}
DEPLOYMENTS_SORTABLE = {name: getattr(GuardrailDeployment, name) for name in _SORTS}
_PROFILE = (
    *("id", "name", "status", "description", "tags", "severity_threshold", "guard_types", "project_id", "created_by"),
    *("created_at", "modified_at"),
)
_DEPLOYMENT = (
    *("id", "profile_id", "name", "description", "status", "created_by", "project_id", "endpoint_id", "credential_id"),
    *("severity_threshold", "guard_types", "created_at", "modified_at"),
)
_AT_WORK = and_(GuardrailDeployment.profile_id == GuardrailProfile.id, not_deleted(GuardrailDeployment))


def _profile_columns() -> list[Any]:
    probes = (
        select(func.count())
        .select_from(GuardrailProfileProbe)
        .join(GuardrailProbe, and_(GuardrailProbe.id == GuardrailProfileProbe.probe_id, not_deleted(GuardrailProbe)))
    )
    count = probes.where(GuardrailProfileProbe.profile_id == GuardrailProfile.id).correlate(GuardrailProfile)
    deployments = select(func.count()).select_from(GuardrailDeployment).where(_AT_WORK).correlate(GuardrailProfile)
    standalone = exists().where(_AT_WORK, GuardrailDeployment.endpoint_id.is_(None)).correlate(GuardrailProfile)
    return [
        *(getattr(GuardrailProfile, name) for name in _PROFILE),
        count.scalar_subquery().label("probe_count"),
        deployments.scalar_subquery().label("deployment_count"),
        standalone.label("is_standalone"),
    ]


class ProfileCrud(Crud[GuardrailProfile]):
    """The profiles of the projects in which the caller may view endpoints."""

    model = GuardrailProfile

    def reach(self) -> list[Any]:
        """Add the reach of the projects."""
        mine = projects_holding(self.session, self.caller, Scope.ENDPOINT_VIEW)
        return [*super().reach(), GuardrailProfile.project_id.in_(mine)]

    async def page_of_profiles(self, query: ProfileQuery) -> Page:
        """Return a page of `ProfileView` columns."""
        conditions = equal(query, project_id=GuardrailProfile.project_id, status=GuardrailProfile.status)
        if query.provider_id is not None:
            of_provider = exists().where(
                GuardrailProfileProbe.profile_id == GuardrailProfile.id,
                GuardrailProbe.id == GuardrailProfileProbe.probe_id,
                GuardrailProbe.provider_id == query.provider_id,
            )
            conditions.append(of_provider)
        found = self.visible(*_profile_columns()).where(*conditions, *matching(query, name=GuardrailProfile.name))
        return await self.page(query, found, SORTABLE)

    async def view(self, profile_id: UUID) -> Row[Any]:
        """Return the columns of a `ProfileView`, or raise `NotFound`."""
        statement = self.visible(*_profile_columns()).where(GuardrailProfile.id == profile_id)
        row: Row[Any] | None = (await self.session.execute(statement)).first()
        if row is None:
            raise NotFound("Profile not found")
        return row

    async def page_of_tags(self, paging: Paging, name: str | None) -> Page:
        """Return a page of the tags that profiles in reach have, by name."""
        return await page_of_tags(self.session, paging, self.visible(GuardrailProfile.tags), name)

    async def page_of_probes(self, profile_id: UUID, query: ProbeQuery) -> Page:
        """Return a page of `ProbeView` columns of a profile that is in reach, by name."""
        conditions = [*wanted_probes(query), *equal(query, status=GuardrailProbe.status)]
        found = (
            select(*probe_columns())
            .join(GuardrailProfileProbe, GuardrailProfileProbe.probe_id == GuardrailProbe.id)
            .where(GuardrailProfileProbe.profile_id == profile_id, not_deleted(GuardrailProbe), *conditions)
            .where(GuardrailProfileProbe.tenant_id == self.caller.tenant_id)
        )
        return await self.page(query, found, PROBES_SORTABLE, "name")

    async def page_of_rules(self, profile_id: UUID, probe_id: UUID, query: RuleQuery) -> Page:
        """Return a page of `ProfileRuleView` columns of a probe in a profile that is in reach, by name."""
        own = and_(GuardrailProfileRule.rule_id == GuardrailRule.id, GuardrailProfileRule.profile_id == profile_id)
        status = func.coalesce(GuardrailProfileRule.status, GuardrailRule.status)
        columns = [column for column in rule_columns(self.caller.tenant_id) if column.key != "status"]
        conditions = [*matching(query, name=GuardrailRule.name), *equal(query, status=status), *enabled(query, status)]
        overrides = (
            GuardrailProfileRule.severity_threshold,
            GuardrailProfileRule.guard_types.label("own_guard_types"),
            status.label("status"),
        )
        found = (
            select(*columns, *overrides)
            .outerjoin(GuardrailProfileRule, own)
            .where(GuardrailRule.probe_id == probe_id, GuardrailRule.status == "active", *conditions)
        )
        return await self.page(query, found, {**RULES_SORTABLE, "status": status}, "name")

    async def has_probe(self, profile_id: UUID, probe_id: UUID) -> bool:
        """Tell whether a profile that is in reach has the probe."""
        mine = (GuardrailProfileProbe.profile_id == profile_id, GuardrailProfileProbe.probe_id == probe_id)
        return await self.session.scalar(select(GuardrailProfileProbe.id).where(*mine)) is not None


class DeploymentCrud(Crud[GuardrailDeployment]):
    """The deployments of profiles in the projects in which the caller may view endpoints."""

    model = GuardrailDeployment

    def reach(self) -> list[Any]:
        """Add the reach of the projects."""
        mine = projects_holding(self.session, self.caller, Scope.ENDPOINT_VIEW)
        return [*super().reach(), GuardrailDeployment.project_id.in_(mine)]

    def _columns(self) -> list[Any]:
        names = (Project.name.label("project_name"), Endpoint.name.label("endpoint_name"))
        return [*(getattr(GuardrailDeployment, name) for name in _DEPLOYMENT), *names]

    async def page_of_profile(self, profile_id: UUID, query: DeploymentQuery) -> Page:
        """Return a page of `DeploymentView` columns of a profile, the newest first."""
        conditions = [GuardrailDeployment.profile_id == profile_id, *matching(query, name=GuardrailDeployment.name)]
        conditions += equal(query, status=GuardrailDeployment.status)
        return await self.page(query, self._joined().where(*conditions), DEPLOYMENTS_SORTABLE)

    async def view(self, deployment_id: UUID) -> Row[Any]:
        """Return the columns of a `DeploymentView`, or raise `NotFound`."""
        statement = self._joined().where(GuardrailDeployment.id == deployment_id)
        row: Row[Any] | None = (await self.session.execute(statement)).first()
        if row is None:
            raise NotFound("Deployment not found")
        return row

    def _joined(self) -> Any:
        found = self.visible(*self._columns()).join(Project, Project.id == GuardrailDeployment.project_id)
        return found.outerjoin(Endpoint, Endpoint.id == GuardrailDeployment.endpoint_id)

    async def models(self, profile_id: UUID) -> Sequence[Row[Any]]:
        """Return the rules of a profile that work with a deployed model, and how that one is."""
        columns = (
            GuardrailRule.id.label("rule_id"),
            GuardrailRule.name.label("rule_name"),
            Endpoint.id.label("endpoint_id"),
            Endpoint.name.label("endpoint_name"),
            Endpoint.status.label("status"),
        )
        statement = (
            select(*columns)
            .join(GuardrailRuleDeployment, GuardrailRuleDeployment.rule_id == GuardrailRule.id)
            .join(Endpoint, Endpoint.id == GuardrailRuleDeployment.endpoint_id)
            .where(GuardrailRuleDeployment.profile_id == profile_id)
            .where(GuardrailRuleDeployment.tenant_id == self.caller.tenant_id)
            .order_by(GuardrailRule.name)
        )
        rows: Sequence[Any] = (await self.session.execute(statement)).all()
        return rows


async def find_profile(session: ReadSession, tenant_id: UUID, profile_id: UUID) -> GuardrailProfile | None:
    """Return the tenant's profile, unless it is deleted."""
    mine = (GuardrailProfile.id == profile_id, GuardrailProfile.tenant_id == tenant_id, not_deleted(GuardrailProfile))
    found: GuardrailProfile | None = await session.scalar(select(GuardrailProfile).where(*mine))
    return found


async def clear_selections(session: WriteSession, profile: GuardrailProfile) -> None:
    """Take all probes and rules out of the profile."""
    for table in (GuardrailProfileProbe, GuardrailProfileRule):
        mine = (table.profile_id == profile.id, table.tenant_id == profile.tenant_id)
        for row in (await session.scalars(select(table).where(*mine))).all():
            await session.delete(row)
    await session.flush()


async def selections_of(
    session: ReadSession, profile: GuardrailProfile
) -> tuple[Sequence[GuardrailProfileProbe], dict[UUID, GuardrailProfileRule]]:
    """Return the probes of the profile, and what it says of rules, by rule."""
    probes = select(GuardrailProfileProbe).where(GuardrailProfileProbe.profile_id == profile.id)
    rules = select(GuardrailProfileRule).where(GuardrailProfileRule.profile_id == profile.id)
    found = (await session.scalars(probes.order_by(GuardrailProfileProbe.id))).all()
    return found, {row.rule_id: row for row in await session.scalars(rules)}


async def rule_deployments_of(session: ReadSession, profile_id: UUID) -> dict[UUID, GuardrailRuleDeployment]:
    """Return what the profile's rules work with, by rule."""
    statement = select(GuardrailRuleDeployment).where(GuardrailRuleDeployment.profile_id == profile_id)
    return {row.rule_id: row for row in await session.scalars(statement)}


async def deployments_of(session: WriteSession, profile_id: UUID) -> Sequence[GuardrailDeployment]:
    """Return where the profile is at work, locked."""
    mine = (GuardrailDeployment.profile_id == profile_id, not_deleted(GuardrailDeployment))
    return (await session.scalars(select(GuardrailDeployment).where(*mine).with_for_update())).all()


async def guarded(session: ReadSession, endpoint_ids: Collection[UUID]) -> Sequence[str]:
    """Return the names of those of the endpoints that a guardrail is before."""
    statement = (
        select(Endpoint.name)
        .join(GuardrailDeployment, GuardrailDeployment.endpoint_id == Endpoint.id)
        .where(Endpoint.id.in_(endpoint_ids), not_deleted(GuardrailDeployment))
    )
    return (await session.scalars(statement.order_by(Endpoint.name))).all()


async def name_taken(session: ReadSession, tenant_id: UUID, name: str) -> bool:
    """Tell whether a profile of the tenant has the name."""
    mine = (GuardrailProfile.tenant_id == tenant_id, not_deleted(GuardrailProfile))
    same = func.lower(GuardrailProfile.name) == name.lower()
    return await session.scalar(select(GuardrailProfile.id).where(*mine, same)) is not None


async def models_of_uris(session: ReadSession, tenant_id: UUID, uris: Collection[str]) -> dict[str, Model]:
    """Return the tenant's models at these addresses, the oldest of each, by address."""
    if not uris:
        return {}
    wanted = (Model.tenant_id == tenant_id, Model.uri.in_(uris), not_deleted(Model))
    rows = await session.scalars(select(Model).where(*wanted).order_by(Model.id.desc()))
    return {row.uri: row for row in rows}


async def endpoints_of_models(session: ReadSession, project_id: UUID, model_ids: Collection[UUID]) -> list[Endpoint]:
    """Return the deployments of these models in the project, the newest last."""
    if not model_ids:
        return []
    wanted = (Endpoint.project_id == project_id, Endpoint.model_id.in_(model_ids), not_deleted(Endpoint))
    return list(await session.scalars(select(Endpoint).where(*wanted).order_by(Endpoint.id)))


async def deployments_by_endpoint(session: WriteSession, endpoint_id: UUID) -> Sequence[GuardrailDeployment]:
    """Return the guardrails before an endpoint."""
    mine = (GuardrailDeployment.endpoint_id == endpoint_id, not_deleted(GuardrailDeployment))
    return (await session.scalars(select(GuardrailDeployment).where(*mine))).all()


async def rules_of_ids(session: ReadSession, tenant_id: UUID, ids: Collection[UUID]) -> Sequence[GuardrailRule]:
    """Return the rules of these ids that the tenant can use now."""
    mine = or_(GuardrailRule.tenant_id.is_(None), GuardrailRule.tenant_id == tenant_id)
    wanted = (GuardrailRule.id.in_(ids), GuardrailRule.status == "active", mine)
    return (await session.scalars(select(GuardrailRule).where(*wanted).order_by(GuardrailRule.name))).all()


async def sizes_of(session: ReadSession, tenant_id: UUID, model_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return how large the tenant's models are, as far as that is known."""
    statement = select(Model.id, Model.model_size).where(Model.id.in_(model_ids), Model.tenant_id == tenant_id)
    return {row[0]: row[1] or 0 for row in await session.execute(statement)}


async def named_endpoints(session: ReadSession, tenant_id: UUID, ids: Collection[UUID]) -> Sequence[Row[Any]]:
    """Return id and name of the tenant's endpoints, by name."""
    if not ids:
        return []
    statement = select(Endpoint.id, Endpoint.name).where(Endpoint.id.in_(ids), Endpoint.tenant_id == tenant_id)
    rows: Sequence[Any] = (await session.execute(statement.order_by(Endpoint.name))).all()
    return rows


async def provider_types(session: ReadSession, ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the types of the providers."""
    return {
        row[0]: row[1] for row in await session.execute(select(Provider.id, Provider.type).where(Provider.id.in_(ids)))
    }


async def served_rules(session: ReadSession, profile_id: UUID) -> dict[UUID, tuple[str, str]]:
    """Return where the models of the profile's rules answer, and what they are called there, by rule."""
    statement = (
        select(GuardrailRuleDeployment.rule_id, Endpoint.url, Endpoint.namespace)
        .join(Endpoint, Endpoint.id == GuardrailRuleDeployment.endpoint_id)
        .where(GuardrailRuleDeployment.profile_id == profile_id, not_deleted(Endpoint))
    )
    return {row[0]: (row[1], row[2]) for row in await session.execute(statement)}


async def credentials_of(session: ReadSession, profile: GuardrailProfile) -> dict[str, ProviderCredential]:
    """Return the credentials of the profile's deployments, by the type of their provider."""
    statement = (
        select(ProviderCredential)
        .join(GuardrailDeployment, GuardrailDeployment.credential_id == ProviderCredential.id)
        .where(GuardrailDeployment.profile_id == profile.id, not_deleted(GuardrailDeployment))
        .where(ProviderCredential.tenant_id == profile.tenant_id)
        .order_by(GuardrailDeployment.id)
    )
    return {row.type: row for row in await session.scalars(statement)}
