from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import Field

from budapp.commons.crud import Page
from budapp.commons.paging import Paging
from budapp.commons.schemas import OptionalText, PageAnswer, Schema
from budapp.endpoint_ops.models import EndpointStatus
from budapp.provider_ops.modalities import Modalities, describe_modality


class ClusterEndpointQuery(Paging):
    """With `search`, `name` is looked for in names; without, it must be the deployment's name."""

    name: OptionalText = None
    status: EndpointStatus | None = None


class ClusterEndpointProject(Schema):
    id: UUID
    name: str
    icon: str | None


class ClusterEndpointModel(Schema):
    id: UUID
    name: str | None
    icon: str | None
    uri: str | None
    source: str | None
    provider_type: str | None
    modality: Modalities | None


class ClusterEndpoint(Schema):
    """A deployment on a cluster; a worker is a replica of it."""

    id: UUID
    name: str
    status: EndpointStatus
    created_at: datetime
    modified_at: datetime
    active_workers: int
    total_workers: int = Field(description="How many workers the deployment has")
    roi: float | None = Field(default=None, description="Return on investment; nothing measures it yet, so it is null")
    project: ClusterEndpointProject
    model: ClusterEndpointModel

    @classmethod
    def of(cls, row: Any) -> Self:
        """Return it of a row of the crud."""
        found = row._mapping
        project = {name: found[f"project_{name}"] for name in ClusterEndpointProject.model_fields}
        model = {name: found[f"model_{name}"] for name in ClusterEndpointModel.model_fields}
        model["modality"] = describe_modality(model["modality"]) if model["modality"] is not None else None
        return cls.model_validate({**found, "project": project, "model": model})


class ClusterEndpointList(PageAnswer):
    object: Literal["cluster.endpoints"] = "cluster.endpoints"
    message: str = "Deployments found"
    endpoints: list[ClusterEndpoint]

    @classmethod
    def of(cls, page: Page) -> Self:
        """Return the answer with the page's rows."""
        return cls(endpoints=[ClusterEndpoint.of(row) for row in page.rows], **page.envelope())
