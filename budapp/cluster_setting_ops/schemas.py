from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, StringConstraints

from budapp.cluster_setting_ops.models import AccessMode
from budapp.commons.schemas import Answer, Schema, blank_to_none

_CLASS = r"^[A-Za-z0-9.]([A-Za-z0-9.-]*[A-Za-z0-9.])?$"
StorageClass = Annotated[str, StringConstraints(strip_whitespace=True, max_length=253, pattern=_CLASS)]


class SettingsChange(Schema):
    """What deployments on the cluster use by default; blank and null stand for what budcluster recommends."""

    model_config = ConfigDict(extra="forbid")

    default_storage_class: Annotated[StorageClass | None, BeforeValidator(blank_to_none)] = None
    default_access_mode: Annotated[AccessMode | None, BeforeValidator(blank_to_none)] = None


class SettingsView(Schema):
    id: UUID
    cluster_id: UUID
    default_storage_class: str | None
    default_access_mode: AccessMode | None
    created_by: UUID
    created_at: datetime
    modified_at: datetime


class SettingsRetrieved(Answer):
    object: Literal["cluster.settings"] = "cluster.settings"
    message: str = "Cluster settings found"
    settings: SettingsView

    @classmethod
    def of(cls, row: Any, message: str = "Cluster settings found") -> Self:
        """Return the answer with the row."""
        return cls(settings=SettingsView.model_validate(row), message=message)


class SettingsDeleted(Answer):
    object: Literal["cluster.settings.delete"] = "cluster.settings.delete"
    message: str = "Cluster settings deleted"
