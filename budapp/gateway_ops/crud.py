from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Row, Uuid, and_, exists, literal, or_, select
from sqlalchemy.dialects.postgresql import JSONB

from budapp.adapter_ops.models import Adapter
from budapp.api_key_ops.limits import used_up
from budapp.api_key_ops.models import Credential
from budapp.billing_ops.models import UserBilling
from budapp.commons.database import ReadSession, among, not_deleted
from budapp.endpoint_ops.models import Endpoint, EndpointStatus
from budapp.gateway_ops.rows import SERVING, Deployment, Key, Price, ProviderAccess
from budapp.model_ops.models import Model
from budapp.pricing_ops.models import DeploymentPricing
from budapp.project_ops.models import Project, ProjectMember
from budapp.provider_credential_ops.models import ProviderCredential
from budapp.provider_ops.models import ProviderType
from budapp.router_ops.models import Router, RouterEndpoint
from budapp.tenant_ops.models import Tenant
from budapp.user_ops.models import User, UserPermission

_FALLBACKS = Endpoint.deployment_settings["fallback_config"]["fallback_models"].cast(JSONB)
OPENS_PUBLISHED = "bud_customer_"
"""How keys begin to which we open what is published; the gateway does so by itself to `bud_client_`."""
_HASHES = (Credential.hashed_key, Credential.previous_hashed_key)


async def deployments(session: ReadSession, *conditions: ColumnElement[bool]) -> list[Deployment]:
    """Return the deployments that are not deleted and meet the conditions, in a fixed order."""
    statement = (
        select(Endpoint, Model.source, Model.provider_type, Tenant.is_platform, ProviderCredential, DeploymentPricing)
        .join(Model, Model.id == Endpoint.model_id)
        .join(Tenant, Tenant.id == Endpoint.tenant_id)
        .outerjoin(
            ProviderCredential,
            and_(ProviderCredential.id == Endpoint.credential_id, ProviderCredential.tenant_id == Endpoint.tenant_id),
        )
        .outerjoin(DeploymentPricing, and_(DeploymentPricing.endpoint_id == Endpoint.id, DeploymentPricing.is_current))
        .where(not_deleted(Endpoint), *conditions)
        .order_by(Endpoint.id)
    )
    rows: Sequence[Any] = (await session.execute(statement)).all()
    found = [_deployment(row) for row in rows]
    adapters = await _adapters_of(session, {one.id: one for one in found if not one.in_cloud})
    routers = await _routers_over(session, {one.id: one for one in found})
    return [*routers, *found, *adapters]  # where a name is given twice, that of the deployment counts


async def _adapters_of(session: ReadSession, bases: Mapping[UUID, Deployment]) -> list[Deployment]:
    """Return the adapters of the deployments as deployments of their own, which serve as long as both do."""
    if not bases:
        return []
    statement = select(Adapter).where(among(Adapter.endpoint_id, bases), not_deleted(Adapter)).order_by(Adapter.id)
    return [_adapter(adapter, bases[adapter.endpoint_id]) for adapter in await session.scalars(statement)]


async def _routers_over(session: ReadSession, targets: Mapping[UUID, Deployment]) -> list[Deployment]:
    """Return the routers over the deployments as deployments of their own."""
    if not targets:
        return []
    statement = (
        select(Router, RouterEndpoint)
        .join(RouterEndpoint, RouterEndpoint.router_id == Router.id)
        .where(among(RouterEndpoint.endpoint_id, targets))
        .order_by(Router.id, RouterEndpoint.position)
    )
    members: dict[UUID, list[RouterEndpoint]] = {}
    routers: dict[UUID, Router] = {}
    for row in await session.execute(statement):
        routers[row.Router.id] = row.Router
        members.setdefault(row.Router.id, []).append(row.RouterEndpoint)
    return [_router(router, members[router.id], targets) for router in routers.values()]


def _router(router: Router, members: Iterable[RouterEndpoint], targets: Mapping[UUID, Deployment]) -> Deployment:
    chain = [one for member in members for one in (member.endpoint_id, *(member.fallback_endpoint_ids or ()))]
    reached = [targets[one] for one in dict.fromkeys(chain) if one in targets]
    first = next((one for one in reached if one.status in SERVING), reached[0])
    others = [str(one.id) for one in reached if one.id != first.id]
    return replace(
        first,
        id=router.id,
        name=router.name,
        settings={"fallback_config": {"fallback_models": others}},
        is_published=False,
        routed=frozenset(one.id for one in reached),
        routed_models=frozenset(one.model_id for one in reached),
    )


def _adapter(adapter: Adapter, base: Deployment) -> Deployment:
    return replace(
        base,
        id=adapter.id,
        model_id=adapter.model_id,
        name=adapter.name,
        namespace=adapter.deployment_name,
        status=adapter.status if base.status == EndpointStatus.RUNNING else base.status,
        settings=None,
        adapted=base.id,
    )


def _deployment(row: Row[Any]) -> Deployment:
    endpoint, credential, price = row.Endpoint, row.ProviderCredential, row.DeploymentPricing
    names = ("id", "tenant_id", "project_id", "model_id", "name", "status", "url", "namespace", "is_published")
    access = ProviderAccess(credential.type, credential.settings, credential.gateway_key) if credential else None
    prices = ("input_cost", "output_cost", "currency", "per_tokens")
    return Deployment(
        **{name: getattr(endpoint, name) for name in names},
        supported_endpoints=tuple(endpoint.supported_endpoints),
        settings=endpoint.deployment_settings,
        inference_cost=endpoint.inference_cost,
        of_platform=row.is_platform,
        in_cloud=row.provider_type == ProviderType.CLOUD_MODEL,
        source=row.source,
        access=access,
        price=Price(**{name: getattr(price, name) for name in prices}) if price else None,
    )


def in_tenants(tenant_ids: Collection[UUID]) -> ColumnElement[bool]:
    """Return the condition for the deployments of the tenants."""
    return among(Endpoint.tenant_id, tenant_ids)


def opened_by(keys: Iterable[Row[Any]]) -> ColumnElement[bool]:
    """Return the condition for the deployments that the keys can open: their projects' and what is published."""
    projects, tenants = set(), set()
    for row in keys:
        projects.add(row.Credential.project_id)
        tenants.add(row.Credential.tenant_id)
    return or_(among(Endpoint.project_id, projects), and_(among(Endpoint.tenant_id, tenants), Endpoint.is_published))


def published_by_platform() -> ColumnElement[bool]:
    """Return the condition for what `published_model_info` may name."""
    return and_(Endpoint.is_published, Tenant.is_platform)


def with_ids(endpoint_ids: Collection[UUID]) -> ColumnElement[bool]:
    """Return the condition for these deployments."""
    return among(Endpoint.id, endpoint_ids)


async def keys(session: ReadSession, hashes: Collection[str]) -> Sequence[Row[Any]]:
    """Return the keys whose secrets have these hashes, each with its owner, project and membership."""
    found = _keys().where(or_(*(among(column, hashes) for column in _HASHES)))
    rows: Sequence[Any] = (await session.execute(found)).all()
    return rows


async def pages_of_keys(session: ReadSession, tenant_id: UUID | None, size: int) -> AsyncIterator[Sequence[Row[Any]]]:
    """Yield the keys of the tenant, or of all, in pages."""
    last: UUID | None = None
    while True:
        statement = _keys().order_by(Credential.id).limit(size)
        if tenant_id is not None:
            statement = statement.where(Credential.tenant_id == tenant_id)
        if last is not None:
            statement = statement.where(Credential.id > last)
        rows: Sequence[Any] = (await session.execute(statement)).all()
        if rows:
            yield rows
        if len(rows) < size:
            return
        last = rows[-1].Credential.id


def _keys() -> Any:
    member = and_(ProjectMember.project_id == Credential.project_id, ProjectMember.user_id == Credential.user_id)
    return (
        select(Credential, User, Project, Tenant.is_active, ProjectMember.scopes)
        .join(User, and_(User.id == Credential.user_id, User.tenant_id == Credential.tenant_id))
        .join(Project, and_(Project.id == Credential.project_id, Project.tenant_id == Credential.tenant_id))
        .join(Tenant, Tenant.id == Credential.tenant_id)
        .outerjoin(ProjectMember, member)
    )


async def overrides_of(session: ReadSession, user_ids: Collection[UUID]) -> dict[UUID, dict[str, bool]]:
    """Return what was decided for each of the people beside their roles."""
    found: dict[UUID, dict[str, bool]] = {}
    columns = (UserPermission.user_id, UserPermission.scope, UserPermission.granted)
    for user_id, scope, granted in await session.execute(
        select(*columns).where(among(UserPermission.user_id, user_ids))
    ):
        found.setdefault(user_id, {})[scope] = granted
    return found


def key_of(row: Row[Any], *, may_call: bool) -> Key:
    """Return the key of a row of `keys`."""
    key = row.Credential
    names = ("id", "tenant_id", "project_id", "user_id", "hashed_key", "expiry")
    budgets = used_up(key, key.spent)
    return Key(
        **{name: getattr(key, name) for name in names},
        previous_hashed_key=key.previous_hashed_key,
        previous_expires_at=key.previous_expires_at,
        opens_published=key.masked_key.startswith(OPENS_PUBLISHED),
        endpoint_ids=frozenset(key.endpoint_ids) if key.endpoint_ids is not None else None,
        model_ids=frozenset(key.model_ids) if key.model_ids is not None else None,
        used_up_models=budgets.model_ids,
        may_call=may_call and not budgets.whole,
    )


Condition = Callable[[Collection[UUID]], ColumnElement[bool]]


def _of_role(role_ids: Collection[UUID]) -> ColumnElement[bool]:
    return Credential.user_id.in_(select(User.id).where(among(User.custom_role_id, role_ids)))


def _opening_published(tenant_ids: Collection[UUID]) -> ColumnElement[bool]:
    of_customers = Credential.masked_key.startswith(OPENS_PUBLISHED, autoescape=True)
    return and_(among(Credential.tenant_id, tenant_ids), of_customers)


def _itself_or_falling_back(endpoint_ids: Collection[UUID]) -> ColumnElement[bool]:
    others = (_FALLBACKS.contains([str(endpoint_id)]) for endpoint_id in endpoint_ids)
    return or_(among(Endpoint.id, endpoint_ids), *others)


KEYS_OF: dict[str, Condition] = {
    "project": partial(among, Credential.project_id),
    "owner": partial(among, Credential.user_id),
    "role": _of_role,
    "tenant": partial(among, Credential.tenant_id),
    "catalog": _opening_published,
}
"""Kind of change → from its items to the condition for the keys whose entries follow from them."""

ENDPOINTS_OF: dict[str, Condition] = {
    "endpoint": _itself_or_falling_back,
    "model": partial(among, Endpoint.model_id),
    "provider_credential": partial(among, Endpoint.credential_id),
    "tenant": partial(among, Endpoint.tenant_id),
}
"""Kind of change → from its items to the condition for the deployments whose entries follow from them."""


async def hashes(session: ReadSession, condition: ColumnElement[bool]) -> set[str]:
    """Return the hashes of all secrets of the keys that meet the condition."""
    found = await session.execute(select(*_HASHES).where(condition))
    return {value for row in found for value in row if value is not None}


async def adapters_of(session: ReadSession, endpoint_ids: Collection[UUID]) -> set[UUID]:
    """Return the ids of the adapters that the deployments have or had."""
    return set(await session.scalars(select(Adapter.id).where(among(Adapter.endpoint_id, endpoint_ids))))


async def routers_over(session: ReadSession, endpoint_ids: Collection[UUID]) -> set[UUID]:
    """Return the ids of the routers that lead to the deployments."""
    falls_back = RouterEndpoint.fallback_endpoint_ids.op("&&")(literal(list(endpoint_ids), ARRAY(Uuid)))
    condition = or_(among(RouterEndpoint.endpoint_id, endpoint_ids), falls_back)
    return set(await session.scalars(select(RouterEndpoint.router_id).where(condition)))


async def routers(session: ReadSession, router_ids: Collection[UUID]) -> Sequence[Row[Any]]:
    """Return id, project and tenant of those of the routers that are there."""
    columns = (Router.id, Router.project_id, Router.tenant_id)
    rows: Sequence[Any] = (await session.execute(select(*columns).where(among(Router.id, router_ids)))).all()
    return rows


async def endpoints(session: ReadSession, condition: ColumnElement[bool]) -> Sequence[Row[Any]]:
    """Return id, project and tenant of the deployments that meet the condition, deleted ones too."""
    columns = (Endpoint.id, Endpoint.project_id, Endpoint.tenant_id)
    rows: Sequence[Any] = (await session.execute(select(*columns).where(condition))).all()
    return rows


async def limited_users(session: ReadSession, tenant_id: UUID | None) -> Sequence[UUID]:
    """Return the users who have a plan or a key, of one tenant or of all."""
    has_key = exists().where(Credential.user_id == User.id)
    has_plan = exists().where(UserBilling.user_id == User.id, UserBilling.is_current)
    statement = select(User.id).where(or_(has_key, has_plan), not_deleted(User)).order_by(User.id)
    if tenant_id is not None:
        statement = statement.where(User.tenant_id == tenant_id)
    return (await session.scalars(statement)).all()


async def stale_credentials(session: ReadSession, gateway_key_id: str | None) -> Sequence[ProviderCredential]:
    """Return the credentials whose key is encrypted for another gateway than the present one, locked."""
    other = ProviderCredential.gateway_key_id.is_distinct_from(gateway_key_id)
    return list(await session.scalars(select(ProviderCredential).where(other).with_for_update(skip_locked=True)))
