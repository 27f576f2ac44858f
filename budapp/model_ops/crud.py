from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    Select,
    String,
    Text,
    and_,
    cast,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import aliased

from budapp.commons.crud import Crud, Page, fetch_page, named_colors, prepared
from budapp.commons.database import ReadSession, WriteSession, not_deleted
from budapp.commons.errors import NotFound
from budapp.commons.hooks import Hooks, hooks_of
from budapp.commons.isolation import is_due
from budapp.commons.json_columns import objects, or_empty
from budapp.commons.paging import Paging, TextFilter, contains, equal, matching
from budapp.model_ops import hooks as model_hooks
from budapp.model_ops.models import License, Model, Paper, SecurityScan, lacks_recommendation, same_text
from budapp.model_ops.schemas import AuthorQuery, MarkQuery, ModelQuery
from budapp.provider_ops.models import CloudModel, Provider
from budapp.user_ops.models import User

_SORTS = ("id", "name", "author", "model_size", "source", "uri", "created_at", "modified_at")
SORTABLE = {name: getattr(Model, name) for name in _SORTS}
CLOUD_SORTABLE = {name: getattr(CloudModel, name) for name in _SORTS}
_BILLION = 1_000_000_000
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
        return await self.page(query, self._listed(query), SORTABLE)

    @prepared
    def _listed(self, query: ModelQuery) -> Select[Any]:
        columns = [getattr(Model, name) for name in (*_LISTED, "icon", "local_path")]
        columns += [_endpoint_count(self.hooks), _recommendation(self.hooks)]
        statement = self.visible(*columns, *provider_columns())
        statement = statement.outerjoin(Provider, Provider.id == Model.provider_id)
        return statement.where(*_matches_in_repository(query))

    async def page_of_cloud_models(self, query: ModelQuery) -> Page:
        """Return a page of the models of clouds, with whether the tenant has them already."""
        return await self.page(query, self._offered(query), CLOUD_SORTABLE)

    @prepared
    def _offered(self, query: ModelQuery) -> Select[Any]:
        columns = [getattr(CloudModel, name) for name in _LISTED]
        same = (Model.source == CloudModel.source, same_text(Model.uri, CloudModel.uri))
        present = exists().where(*self.reach(), *same)
        return (
            select(*columns, *provider_columns(), present.label("is_present_in_model"))
            .join(Provider, Provider.id == CloudModel.provider_id)
            .where(not_deleted(CloudModel), Provider.is_active, *_matches_in_clouds(query))
        )

    async def page_of_marks(self, column: str, query: MarkQuery) -> Page:
        """Return a page of the tags, or the tasks, of the models in reach, each name once."""
        mark = named_colors(getattr(Model, column))
        found = self.visible(mark.c.name.label("id"), mark.c.name, func.min(mark.c.color).label("color"))
        named = [contains(mark.c.name, query.name)] if query.name is not None else []
        return await _page_of_names(self.session, query, found.join(mark, true()).where(*named), mark.c.name)

    async def page_of_authors(self, query: AuthorQuery) -> Page:
        """Return a page of the authors of the models in reach, each once, as `name`."""
        found = self.visible(Model.author.label("id"), Model.author.label("name")).where(Model.author != "")
        return await _page_of_names(
            self.session, query, found.where(*matching(query, author=Model.author)), Model.author
        )

    async def newest(self, limit: int) -> Sequence[Row[Any]]:
        """Return `uri`, `name` and `provider_type` of the newest models in reach."""
        newest = self.visible(Model.uri, Model.name, Model.provider_type).order_by(Model.created_at.desc())
        rows: Sequence[Row[Any]] = (await self.session.execute(newest.limit(limit))).all()
        return rows

    async def with_all(self, model_id: UUID) -> Row[Any, Any, Any, Any, Any]:
        """Return the model with all that is shown beside it, in one statement; or `NotFound`."""
        counts = (_endpoint_count(self.hooks), *_tree_counts(), _recommendation(self.hooks))
        statement = (
            self.visible(Model, Provider, License, SecurityScan, User, *counts, _papers())
            .outerjoin(Provider, Provider.id == Model.provider_id)
            .outerjoin(License, License.model_id == Model.id)
            .outerjoin(SecurityScan, SecurityScan.model_id == Model.id)
            .outerjoin(User, User.id == Model.created_by)
            .where(Model.id == model_id)
        )
        found: Row[Any, Any, Any, Any, Any] | None = (await self.session.execute(statement)).one_or_none()
        if found is None:
            raise NotFound("Model not found")
        return found


async def _page_of_names(session: ReadSession, paging: Paging, found: Select[Any], name: Any) -> Page:
    names = found.group_by(name).subquery()
    return await fetch_page(session, paging, select(names), {"id": names.c.id, "name": names.c.name}, "name")


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
    """Return `name` or `uri`, whichever a model of the tenant has already, or nothing."""
    same_name = same_text(Model.name, name or "")
    same_uri = and_(Model.source == (source or ""), same_text(Model.uri, uri or ""))
    mine = (Model.tenant_id == tenant_id, not_deleted(Model))
    statement = select(same_name, same_uri).where(*mine, or_(same_name, same_uri))
    rows = (await session.execute(statement)).all()
    by_name = any(row[0] for row in rows)
    return "name" if by_name else "uri" if rows else ""


async def find_model(session: ReadSession, tenant_id: UUID, model_id: UUID) -> Model | None:
    """Return the tenant's model."""
    mine = (Model.id == model_id, Model.tenant_id == tenant_id, not_deleted(Model))
    found: Model | None = await session.scalar(select(Model).where(*mine))
    return found


async def lock_model(session: WriteSession, model_id: UUID) -> Model | None:
    """Return the model, locked, whoever asks; for what no caller stands behind."""
    return await session.get(Model, model_id, with_for_update=True)


async def lock_unrecommended(session: WriteSession, model_id: UUID, before: datetime) -> Model | None:
    """Return the model, locked, if its recommendation is older, or missing; None where somebody else has it."""
    statement = select(Model).where(Model.id == model_id, lacks_recommendation(before))
    found: Model | None = await session.scalar(statement.with_for_update(skip_locked=True))
    return found


async def is_deployed(session: ReadSession, model_id: UUID) -> bool:
    """Tell whether the model has endpoints."""
    return bool(await session.scalar(select(hooks_of(session).one(model_hooks.endpoint_count)(model_id))))


async def has_files_at(session: ReadSession, local_path: str) -> bool:
    """Tell whether a model of any tenant has its files there."""
    here = (Model.local_path == local_path, not_deleted(Model))
    return await session.scalar(select(Model.id).where(*here).limit(1)) is not None


async def license_of(session: ReadSession, model_id: UUID) -> License | None:
    """Return the license of a model that has been found in reach."""
    found: License | None = await session.scalar(select(License).where(License.model_id == model_id))
    return found


async def license_paths(session: ReadSession, paths: Sequence[str]) -> set[str]:
    """Return those of the paths that some license has."""
    return set(await session.scalars(select(License.path).where(License.path.in_(paths))))


async def papers_of(session: ReadSession, model_id: UUID) -> list[Paper]:
    """Return the papers about a model that has been found in reach."""
    return list(await session.scalars(select(Paper).where(Paper.model_id == model_id)))


async def without_size(session: ReadSession, job: str, limit: int) -> Sequence[Row[Any]]:
    """Return `id` and `local_path` of models whose files the job has not measured, and may try now."""
    unmeasured = (
        not_deleted(Model),
        Model.local_path.is_not(None),
        Model.storage_size_gb.is_(None),
        is_due(job, Model.id),
    )
    columns: tuple[Any, ...] = (Model.id, Model.local_path)
    return (await session.execute(select(*columns).where(*unmeasured).limit(limit))).all()


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
    conditions = [
        *matching(query, name=table.name, description=table.description, tag=_tag_filter(table.tags)),
        *equal(query, source=table.source, provider_id=table.provider_id, provider_type=table.provider_type),
    ]
    if query.tags:
        conditions.append(_marked(table.tags, query.tags))
    if query.tasks:
        conditions.append(_marked(table.tasks, query.tasks))
    if query.supported_endpoints:
        conditions.append(table.supported_endpoints.overlap(_strings(query.supported_endpoints)))
    if query.model_size_min is not None:
        conditions.append(table.model_size >= cast(query.model_size_min, BigInteger) * _BILLION)
    if query.model_size_max is not None:
        conditions.append(table.model_size <= cast(query.model_size_max, BigInteger) * _BILLION)
    return conditions


def _matches_in_repository(query: ModelQuery) -> list[Any]:
    conditions = [*_matches(Model, query), *equal(query, base_model_relation=Model.base_model_relation)]
    if query.author:
        conditions.append(Model.author.in_(query.author))
    if query.modality:
        conditions.append(Model.modality.overlap(_strings(query.modality)))
    if query.base_model is not None:
        conditions.append(Model.base_model.contains(_strings([query.base_model])))
    if query.exclude_adapters:
        conditions.append(Model.base_model_relation.is_distinct_from("adapter"))
    return conditions


def _matches_in_clouds(query: ModelQuery) -> list[Any]:
    has_all = [CloudModel.modality.contains(_strings(query.modality))] if query.modality else []
    return [*_matches(CloudModel, query), *has_all]


def _strings(values: Sequence[Any]) -> ColumnElement[Any]:
    return array([cast(value, String) for value in values])


def _marked(column: Any, names: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition that one of the tags or tasks is there; spelled so that an index on the column serves it."""
    marks = (func.jsonb_build_object(literal_column("'name'"), cast(name, Text)) for name in names)
    return or_(*(column.contains(func.jsonb_build_array(mark)) for mark in marks))


def _endpoint_count(hooks: Hooks) -> ColumnElement[int]:
    return hooks.one(model_hooks.endpoint_count)(Model.id).label("endpoints_count")


def _recommendation(hooks: Hooks) -> ColumnElement[Any]:
    return hooks.one(model_hooks.recommendation)(Model.id).label("model_cluster_recommended")


def _tag_filter(tags: Any) -> TextFilter:
    def found(text: str) -> ColumnElement[bool]:
        tag = named_colors(tags)
        return exists(select(1).select_from(tag).where(contains(tag.c.name, text)))

    return TextFilter(equals=lambda text: _marked(tags, [text]), contains=found)


def _tree_counts() -> list[Any]:
    derived = aliased(Model)
    mine = (derived.tenant_id == Model.tenant_id, not_deleted(derived), derived.id != Model.id)
    # In these words, rather than by ANY, the index on the column serves it.
    counted = select(func.count()).where(*mine, derived.base_model.contains(array([Model.uri])))
    return [
        counted.where(derived.base_model_relation == relation).correlate(Model).scalar_subquery().label(relation)
        for relation in RELATIONS
    ]


def _papers() -> Any:
    fields = {name: getattr(Paper, name) for name in ("id", "title", "url", "authors")}
    mine = (Paper.model_id == Model.id, Paper.tenant_id == Model.tenant_id)
    return or_empty(select(objects(fields, Paper.created_at, Paper.id)).where(*mine), Model).label("papers")
