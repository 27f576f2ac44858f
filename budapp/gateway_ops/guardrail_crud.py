"""Profiles that are at work, with all that their entries follow from."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, exists, select

from budapp.commons.database import ReadSession, among, not_deleted
from budapp.endpoint_ops.models import Endpoint
from budapp.gateway_ops.guardrails import GuardProbe, Guardrail, GuardRule, Standalone
from budapp.gateway_ops.rows import ProviderAccess
from budapp.guardrail_ops.models import (
    GuardrailDeployment,
    GuardrailProbe,
    GuardrailProfile,
    GuardrailProfileProbe,
    GuardrailProfileRule,
    GuardrailRule,
    GuardrailRuleDeployment,
)
from budapp.provider_credential_ops.models import ProviderCredential
from budapp.provider_ops.models import Provider

_AT_WORK = and_(GuardrailDeployment.status == "running", not_deleted(GuardrailDeployment))


def in_tenants(tenant_ids: Collection[UUID]) -> ColumnElement[bool]:
    """Return the condition for the profiles of the tenants."""
    return among(GuardrailProfile.tenant_id, tenant_ids)


def in_projects(project_ids: Collection[UUID]) -> ColumnElement[bool]:
    """Return the condition for the profiles of the projects."""
    return among(GuardrailProfile.project_id, project_ids)


def with_ids(ids: Collection[UUID]) -> ColumnElement[bool]:
    """Return the condition for these profiles."""
    return among(GuardrailProfile.id, ids)


async def guardrails(session: ReadSession, *conditions: ColumnElement[bool]) -> list[Guardrail]:
    """Return the profiles that are active and at work, and meet the conditions, in a fixed order."""
    at_work = exists().where(GuardrailDeployment.profile_id == GuardrailProfile.id, _AT_WORK)
    statement = select(GuardrailProfile).where(GuardrailProfile.status == "active", at_work, *conditions)
    profiles = (await session.scalars(statement.order_by(GuardrailProfile.id))).all()
    ids = [one.id for one in profiles]
    if not ids:
        return []
    deployments = await _deployments(session, ids)
    probes = await _probes(session, ids)
    return [_guardrail(one, deployments.get(one.id, ()), probes.get(one.id, ())) for one in profiles]


async def _deployments(session: ReadSession, ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Row[Any]]]:
    statement = (
        select(GuardrailDeployment.profile_id, GuardrailDeployment, ProviderCredential)
        .outerjoin(
            ProviderCredential,
            and_(
                ProviderCredential.id == GuardrailDeployment.credential_id,
                ProviderCredential.tenant_id == GuardrailDeployment.tenant_id,
            ),
        )
        .where(among(GuardrailDeployment.profile_id, ids), _AT_WORK)
        .order_by(GuardrailDeployment.id)
    )
    return _by_profile((await session.execute(statement)).all())


async def _probes(session: ReadSession, ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Row[Any]]]:
    """Return each active rule of each probe of the profiles, with what they say of it."""
    own = and_(
        GuardrailProfileRule.rule_id == GuardrailRule.id,
        GuardrailProfileRule.profile_id == GuardrailProfileProbe.profile_id,
    )
    served = and_(
        GuardrailRuleDeployment.rule_id == GuardrailRule.id,
        GuardrailRuleDeployment.profile_id == GuardrailProfileProbe.profile_id,
    )
    statement = (
        select(GuardrailProfileProbe.profile_id, GuardrailProfileProbe, GuardrailProbe, Provider.type.label("provider"))
        .add_columns(GuardrailRule, GuardrailProfileRule, Endpoint.url, Endpoint.namespace)
        .join(
            GuardrailProbe, and_(GuardrailProbe.id == GuardrailProfileProbe.probe_id, GuardrailProbe.status == "active")
        )
        .join(Provider, Provider.id == GuardrailProbe.provider_id)
        .join(GuardrailRule, and_(GuardrailRule.probe_id == GuardrailProbe.id, GuardrailRule.status == "active"))
        .outerjoin(GuardrailProfileRule, own)
        .outerjoin(GuardrailRuleDeployment, served)
        .outerjoin(Endpoint, and_(Endpoint.id == GuardrailRuleDeployment.endpoint_id, not_deleted(Endpoint)))
        .where(among(GuardrailProfileProbe.profile_id, ids), GuardrailProbe.status == "active")
        .order_by(GuardrailProbe.uri, GuardrailRule.uri)
    )
    return _by_profile((await session.execute(statement)).all())


def _by_profile(rows: Iterable[Any]) -> dict[UUID, list[Row[Any]]]:
    found: dict[UUID, list[Row[Any]]] = {}
    for row in rows:
        found.setdefault(row.profile_id, []).append(row)
    return found


def _guardrail(profile: GuardrailProfile, deployments: Sequence[Row[Any]], rows: Sequence[Row[Any]]) -> Guardrail:
    working: list[GuardrailDeployment] = [row.GuardrailDeployment for row in deployments]
    credentials = [row.ProviderCredential for row in deployments if row.ProviderCredential is not None]
    grouped: dict[UUID, list[Row[Any]]] = {}
    for row in rows:
        grouped.setdefault(row.GuardrailProbe.id, []).append(row)
    return Guardrail(
        id=profile.id,
        tenant_id=profile.tenant_id,
        name=profile.name,
        severity_threshold=profile.severity_threshold,
        guard_types=tuple(profile.guard_types),
        probes=tuple(_probe(own) for own in grouped.values()),
        endpoint_ids=frozenset(one.endpoint_id for one in working if one.endpoint_id is not None),
        standalone=tuple(_standalone(one) for one in working if one.endpoint_id is None),
        access={one.type: ProviderAccess(one.type, one.settings, one.gateway_key) for one in credentials},
    )


def _standalone(row: GuardrailDeployment) -> Standalone:
    return Standalone(row.id, row.name, row.project_id, row.severity_threshold)


def _probe(rows: Sequence[Row[Any]]) -> GuardProbe:
    first = rows[0]
    chosen: GuardrailProfileProbe = first.GuardrailProfileProbe
    active = [row for row in rows if row.GuardrailProfileRule is None or row.GuardrailProfileRule.status == "active"]
    return GuardProbe(
        uri=first.GuardrailProbe.uri,
        provider=first.provider,
        severity_threshold=chosen.severity_threshold,
        guard_types=_tuple(chosen.guard_types),
        rules=tuple(_rule(row) for row in active),
    )


def _rule(row: Row[Any]) -> GuardRule:
    rule: GuardrailRule = row.GuardrailRule
    own: GuardrailProfileRule | None = row.GuardrailProfileRule
    return GuardRule(
        uri=rule.uri,
        scanner_type=rule.scanner_type,
        config=rule.model_config_json,
        severity_threshold=own.severity_threshold if own is not None else None,
        guard_types=_tuple(own.guard_types) if own is not None else None,
        served=(row.url, row.namespace) if row.url is not None else None,
    )


def _tuple(said: Sequence[str] | None) -> tuple[str, ...] | None:
    return tuple(said) if said is not None else None


def _of_credentials(ids: Collection[UUID]) -> ColumnElement[bool]:
    using = select(GuardrailDeployment.profile_id).where(among(GuardrailDeployment.credential_id, ids))
    return GuardrailProfile.id.in_(using)


def _of_probes(ids: Collection[UUID]) -> ColumnElement[bool]:
    having = select(GuardrailProfileProbe.profile_id).where(among(GuardrailProfileProbe.probe_id, ids))
    return GuardrailProfile.id.in_(having)


def _of_endpoints(ids: Collection[UUID]) -> ColumnElement[bool]:
    served = select(GuardrailRuleDeployment.profile_id).where(among(GuardrailRuleDeployment.endpoint_id, ids))
    return GuardrailProfile.id.in_(served)


GUARDRAILS_OF = {
    "guardrail": with_ids,
    "guardrail_probe": _of_probes,
    "provider_credential": _of_credentials,
    "endpoint": _of_endpoints,
    "tenant": in_tenants,
}
"""Kind of change → from its items to the condition for the profiles whose entries follow from them."""


async def ids(session: ReadSession, condition: ColumnElement[bool]) -> set[UUID]:
    """Return the profiles that meet the condition, whatever has become of them."""
    return set(await session.scalars(select(GuardrailProfile.id).where(condition)))


async def standalone_of(session: ReadSession, profile_ids: Collection[UUID]) -> Sequence[Row[Any]]:
    """Return id, tenant and project of the deployments by which the profiles are, or were, at work by themselves."""
    names = (GuardrailDeployment.id, GuardrailDeployment.tenant_id, GuardrailDeployment.project_id)
    of_profiles = among(GuardrailDeployment.profile_id, profile_ids)
    statement = select(*names).where(of_profiles, GuardrailDeployment.endpoint_id.is_(None))
    rows: Sequence[Any] = (await session.execute(statement)).all()
    return rows


async def guarded_by(session: ReadSession, profile_ids: Collection[UUID]) -> Sequence[Row[Any]]:
    """Return id and tenant of the endpoints that the profiles are, or were, before."""
    statement = (
        select(Endpoint.id, Endpoint.tenant_id)
        .join(GuardrailDeployment, GuardrailDeployment.endpoint_id == Endpoint.id)
        .where(among(GuardrailDeployment.profile_id, profile_ids))
    )
    rows: Sequence[Any] = (await session.execute(statement)).all()
    return rows
