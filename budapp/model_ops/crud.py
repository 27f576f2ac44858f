from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, any_, exists, func, literal, or_, select
from sqlalchemy.orm import aliased

from budapp.commons.crud import Crud, Page, fetch_page
from budapp.commons.database import ReadSession
from budapp.commons.errors import NotFound
from budapp.commons.paging import contains
from budapp.model_ops.contents import endpoint_count
from budapp.model_ops.models import CloudModel, License, Model, ModelStatus, Paper, Provider, SecurityScan
from budapp.model_ops.schemas import ModelQuery, ProviderQuery
from budapp.user_ops.models import User

_SORTS = ("id", "name", "author", "model_size", "source", "uri", "created_at", "modified_at")
SORTABLE = {name: getattr(Model, name) for name in _SORTS}
CLOUD_SORTABLE = {name: getattr(CloudModel, name) for name in _SORTS}
PROVIDER_SORTABLE = {name: getattr(Provider, name) for name in ("id", "name", "type", "created_at")}
RELATIONS = ("adapter", "finetune", "merge", "quantized")

_LISTED = (
    *("id", "name", "description", "author", "uri", "source", "provider_type", "model_size", "tags", "tasks"),
    *("modality", "supported_endpoints", "created_at", "modified_at", "provider_id"),
)


class ModelCrud(Crud[Model]):
    """The models of the caller's tenant."""

    model = Model

    async def page_of_models(self, query: ModelQuery) -> Page:
        """Return a page of the repository, with each model's `Provider` columns and number of deployments."""
        columns = [getattr(Model, name) for name in (*_LISTED, "icon", "local_path")]
        statement = self.visible(*columns, *provider_columns(), endpoint_count(Model.id))
        statement = statement.outerjoin(Provider, Provider.id == Model.provider_id)
        return await self.page(query, statement.where(*_matches(Model, query)), SORTABLE)

    async def page_of_cloud_models(self, query: ModelQuery) -> Page:
        """Return a page of the models of clouds, with whether the tenant has them already."""
        columns = [getattr(CloudModel, name) for name in _LISTED]
        present = exists().where(*self.reach(), Model.uri == CloudModel.uri, Model.source == CloudModel.source)
        statement = (
            select(*columns, *provider_columns(), present.label("is_present_in_model"))
            .join(Provider, Provider.id == CloudModel.provider_id)
            .where(CloudModel.status == "active", *_matches(CloudModel, query))
        )
        return await fetch_page(self.session, query, statement, CLOUD_SORTABLE)

    async def with_all(self, model_id: UUID) -> Row[Any, Any, Any, Any, Any]:
        """Return the model with provider, licence, scan, creator and counts, in one statement; or `NotFound`."""
        statement = (
            self.visible(Model, Provider, License, SecurityScan, User, endpoint_count(Model.id), *_tree_counts())
            .outerjoin(Provider, Provider.id == Model.provider_id)
            .outerjoin(License, License.model_id == Model.id)
            .outerjoin(SecurityScan, SecurityScan.model_id == Model.id)
            .outerjoin(User, User.id == Model.created_by)
            .where(Model.id == model_id)
        )
        found: Row[Any, Any, Any, Any, Any] | None = (await self.session.execute(statement)).one_or_none()
        if found is None:
            raise NotFound("There is no such model")
        return found

    async def papers(self, model_id: UUID) -> list[Paper]:
        """Return the papers about a model that has been found in reach."""
        mine = (Paper.model_id == model_id, Paper.tenant_id == self.caller.tenant_id)
        return list(await self.session.scalars(select(Paper).where(*mine).order_by(Paper.created_at, Paper.id)))


async def page_of_providers(session: ReadSession, query: ProviderQuery) -> Page:
    """Return a page of the providers."""
    names = ("id", "name", "description", "type", "icon", "capabilities", "created_at")
    statement = select(*(getattr(Provider, name) for name in names)).where(Provider.is_active)
    if query.capabilities is not None:
        statement = statement.where(literal(query.capabilities) == any_(Provider.capabilities))
    if query.name is not None:
        statement = statement.where(
            contains(Provider.name, query.name) if query.search else Provider.name == query.name
        )
    return await fetch_page(session, query, statement, PROVIDER_SORTABLE, "name")


async def named(session: ReadSession, tenant_id: UUID, ids: dict[str, UUID | None]) -> Row[Any, Any, Any, Any, Any]:
    """Return model, its provider, provider, cloud model and scan result of these ids, None each where there is none."""
    nothing = select(literal(1).label("one")).subquery()
    own = aliased(Provider)
    in_tenant = (Model.tenant_id == tenant_id, SecurityScan.tenant_id == tenant_id)
    statement = (
        select(Model, own, Provider, CloudModel, SecurityScan)
        .select_from(nothing)
        .outerjoin(Model, and_(Model.id == ids["model_id"], in_tenant[0]))
        .outerjoin(own, own.id == Model.provider_id)
        .outerjoin(Provider, Provider.id == ids["provider_id"])
        .outerjoin(CloudModel, CloudModel.id == ids["cloud_model_id"])
        .outerjoin(SecurityScan, and_(SecurityScan.id == ids["security_scan_result_id"], in_tenant[1]))
    )
    return (await session.execute(statement)).one()


async def taken(session: ReadSession, tenant_id: UUID, name: str | None, source: str | None, uri: str | None) -> str:
    """Return `name` or `uri`, whichever a living model of the tenant has already, or nothing."""
    same_name = func.lower(Model.name) == (name or "").lower()
    same_uri = and_(Model.source == (source or ""), Model.uri == (uri or ""))
    living = (Model.tenant_id == tenant_id, Model.status == ModelStatus.ACTIVE)
    statement = select(same_name, same_uri).where(*living, or_(same_name, same_uri))
    rows = (await session.execute(statement)).all()
    by_name = any(row[0] for row in rows)
    return "name" if by_name else "uri" if rows else ""


async def living_model(session: ReadSession, tenant_id: UUID, model_id: UUID) -> Model | None:
    """Return the tenant's model."""
    mine = (Model.id == model_id, Model.tenant_id == tenant_id, Model.status == ModelStatus.ACTIVE)
    found: Model | None = await session.scalar(select(Model).where(*mine))
    return found


async def provider(session: ReadSession, *conditions: Any) -> Provider | None:
    """Return the active provider."""
    found: Provider | None = await session.scalar(select(Provider).where(Provider.is_active, *conditions))
    return found


async def cloud_model(session: ReadSession, cloud_model_id: UUID) -> CloudModel | None:
    """Return the cloud model."""
    mine = (CloudModel.id == cloud_model_id, CloudModel.status == "active")
    found: CloudModel | None = await session.scalar(select(CloudModel).where(*mine))
    return found


async def has_files_at(session: ReadSession, local_path: str) -> bool:
    """Tell whether a living model of any tenant has its files there."""
    here = (Model.local_path == local_path, Model.status == ModelStatus.ACTIVE)
    return await session.scalar(select(Model.id).where(*here).limit(1)) is not None


async def scan_of(session: ReadSession, model_id: UUID) -> SecurityScan | None:
    """Return what the last scan of a model found, locked."""
    statement = select(SecurityScan).where(SecurityScan.model_id == model_id).with_for_update()
    found: SecurityScan | None = await session.scalar(statement)
    return found


def provider_columns() -> list[Any]:
    """Return the provider's columns, each under its name after `provider__`."""
    names = ("id", "name", "description", "type", "icon", "capabilities")
    return [getattr(Provider, name).label(f"provider__{name}") for name in names]


def _matches(table: Any, query: ModelQuery) -> list[Any]:
    conditions = []
    if query.name is not None:
        conditions.append(contains(table.name, query.name) if query.search else table.name == query.name)
    if query.source is not None:
        conditions.append(table.source == query.source)
    if query.provider_id is not None:
        conditions.append(table.provider_id == query.provider_id)
    return conditions


def _tree_counts() -> list[Any]:
    derived = aliased(Model)
    mine = (derived.tenant_id == Model.tenant_id, derived.status == ModelStatus.ACTIVE, derived.id != Model.id)
    counted = select(func.count()).where(*mine, Model.uri == any_(derived.base_model))
    return [
        counted.where(derived.base_model_relation == relation).correlate(Model).scalar_subquery().label(relation)
        for relation in RELATIONS
    ]
