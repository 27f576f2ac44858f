from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Row, Select, and_, func, or_

from budapp.catalog_ops.schemas import CatalogQuery
from budapp.commons.crud import Crud, Page
from budapp.commons.database import not_deleted
from budapp.commons.errors import NotFound
from budapp.commons.paging import contains
from budapp.endpoint_ops.models import Endpoint
from budapp.model_ops.models import Model
from budapp.pricing_ops.models import DeploymentPricing
from budapp.provider_ops.models import Provider

_MODEL = (
    *("name", "modality", "status", "description", "strengths", "max_input_tokens", "use_cases", "author"),
    *("model_size", "provider_type", "uri", "source", "supported_endpoints"),
)
_PRICE = ("input_cost", "output_cost", "currency", "per_tokens")
SORTABLE = {
    "id": Endpoint.id,
    "published_date": Endpoint.published_date,
    "created_at": Endpoint.created_at,
    **{name: getattr(Model, name) for name in ("name", "author", "model_size")},
}


class CatalogCrud(Crud[Endpoint]):
    """The deployments that the caller's tenant has published."""

    model = Endpoint

    def reach(self) -> list[Any]:
        """Add that it is published, and its model there."""
        published = (Endpoint.is_published, Endpoint.published_date.is_not(None))
        return [*super().reach(), *published, not_deleted(Model)]

    async def page_of_published(self, query: CatalogQuery) -> Page:
        """Return a page of published models, each with its current price."""
        columns = [
            Endpoint.id,
            Endpoint.id.label("endpoint_id"),
            Endpoint.name.label("endpoint_name"),
            Endpoint.published_date,
            Endpoint.created_at,
            Model.id.label("model_id"),
            Model.architecture_text_config["context_length"].astext.cast(Integer).label("token_limit"),
            Provider.icon.label("provider_icon"),
            *(getattr(Model, name) for name in _MODEL),
            *(getattr(DeploymentPricing, name) for name in _PRICE),
        ]
        statement = self._published(*columns).where(*_matches(query))
        return await self.page(query, statement, SORTABLE, "-published_date")

    async def published(self, endpoint_id: UUID) -> Row[Any]:
        """Return `id`, `model_id`, name and price of a published deployment.

        Raises:
            NotFound: no such deployment, or it is not published.
        """
        columns = (
            Endpoint.id,
            Endpoint.model_id,
            Endpoint.name,
            *(getattr(DeploymentPricing, name) for name in _PRICE),
        )
        statement = self._published(*columns).where(Endpoint.id == endpoint_id)
        found: Row[Any] | None = (await self.session.execute(statement)).one_or_none()
        if found is None:
            raise NotFound("Published model not found")
        return found

    def _published(self, *columns: Any) -> Select[Any]:
        current = and_(DeploymentPricing.endpoint_id == Endpoint.id, DeploymentPricing.is_current)
        return (
            self.visible(*columns)
            .join(Model, and_(Model.id == Endpoint.model_id, Model.tenant_id == Endpoint.tenant_id))
            .outerjoin(Provider, Provider.id == Model.provider_id)
            .outerjoin(DeploymentPricing, current)
        )


def _matches(query: CatalogQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.search is not None:
        conditions.append(_found(str(query.search)))
    if query.modality:
        conditions.append(Model.modality.overlap(list(query.modality)))
    if query.status is not None:
        conditions.append(Model.status == query.status)
    return conditions


def _found(text: str) -> ColumnElement[bool]:
    """Return the condition for models that a text is about: by its words, or as a part of the name or of a use."""
    words = func.to_tsvector("english", func.concat_ws(" ", Model.name, Model.description))
    uses = func.array_to_string(Model.use_cases, " ")
    return or_(
        words.op("@@")(func.websearch_to_tsquery("english", text)),
        contains(Model.name, text),
        contains(Endpoint.name, text),
        contains(uses, text),
    )
