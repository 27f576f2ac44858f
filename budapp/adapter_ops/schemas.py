from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from budapp.adapter_ops.models import AdapterStatus
from budapp.commons.crud import Page
from budapp.commons.paging import Paging
from budapp.commons.schemas import OptionalText, PageAnswer, Schema
from budapp.deployment_ops.schemas import EndpointName
from budapp.model_ops.step_views import Mark
from budapp.workflow_ops.schemas import WorkflowPost


class AdapterQuery(Paging):
    """With `search`, `name` is looked for in names; without, it must be the adapter's name."""

    name: OptionalText = None
    status: AdapterStatus | None = None


class AdapterModel(Schema):
    """The model that the adapter is."""

    id: UUID
    name: str
    icon: str | None
    tags: list[Mark] | None
    author: str | None
    description: str | None
    uri: str
    model_size: int | None
    provider_type: str


class AdapterView(Schema):
    id: UUID
    name: str
    deployment_name: str
    status: AdapterStatus
    created_at: datetime
    model: AdapterModel | None


class AdapterList(PageAnswer):
    object: Literal["adapter.list"] = "adapter.list"
    message: str = "Adapters found"
    adapters: list[AdapterView]

    @classmethod
    def of(cls, page: Page) -> Self:
        """Return it of a page of `page_of_adapters`."""
        return cls(adapters=[_view(row) for row in page.rows], **page.envelope())


class AddAdapterPost(WorkflowPost):
    """A step of adding an adapter to a deployment."""

    endpoint_id: UUID | None = None
    adapter_model_id: UUID | None = None
    adapter_name: EndpointName | None = None


class DeleteAdapterPost(WorkflowPost):
    adapter_id: UUID


def _view(row: Any) -> AdapterView:
    found = dict(row._mapping)
    model = {name.removeprefix("model__"): found.pop(name) for name in list(found) if name.startswith("model__")}
    return AdapterView.model_validate({**found, "model": model if model["id"] else None})
