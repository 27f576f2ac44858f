from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, func, literal_column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from budapp.commons.auditing import Audited, NotAudited
from budapp.commons.database import Base, TenantOwned, not_deleted
from budapp.commons.leases import LeasedRow


class BenchmarkDataset(Base):
    """A public dataset that deployments are measured with; the same for all tenants."""

    __tablename__ = "benchmark_dataset"
    audited = Audited("dataset", name="name")
    __table_args__ = (CheckConstraint("status in ('active', 'inactive')", name="status"),)

    name: Mapped[str] = mapped_column(unique=True)
    display_name: Mapped[str | None]
    description: Mapped[str | None]
    tags: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    hf_hub_url: Mapped[str | None]
    ms_hub_url: Mapped[str | None]
    script_url: Mapped[str | None]
    file_name: Mapped[str | None]
    formatting: Mapped[str | None]
    ranking: Mapped[bool] = mapped_column(default=False)
    subset: Mapped[str | None]
    split: Mapped[str | None]
    folder: Mapped[str | None]
    num_samples: Mapped[int] = mapped_column(default=0)
    columns: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    status: Mapped[str] = mapped_column(default="active")


class DatasetStatus(StrEnum):
    ACTIVE = "active"
    DELETED = "deleted"


class Dataset(TenantOwned, Base):
    """Data that a project keeps, in versions."""

    __tablename__ = "dataset"
    audited = Audited("dataset", name="name")
    __table_args__ = (CheckConstraint("status in ('active', 'deleted')", name="status"),)

    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    name: Mapped[str]
    description: Mapped[str | None]
    status: Mapped[str] = mapped_column(default=DatasetStatus.ACTIVE)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


class DatasetVersion(TenantOwned, Base):
    """One state of a dataset: at most one file per split, none of which ever changes."""

    __tablename__ = "dataset_version"
    audited = Audited("dataset")
    __table_args__ = (UniqueConstraint("dataset_id", "number"),)

    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    number: Mapped[int]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


class FileStatus(StrEnum):
    """`uploading` → `checking` → `ready`, or `refused` where the content is not what it should be."""

    UPLOADING = "uploading"
    CHECKING = "checking"
    READY = "ready"
    REFUSED = "refused"


class DatasetFile(TenantOwned, Base):
    """The file of one split; `object_name` is ours, never the user's, and `stored` until the store is cleared of it."""

    __tablename__ = "dataset_file"
    audited = Audited("file", name="file_name", secrets={"upload_id"}, ignored={"stored"})
    __table_args__ = (
        CheckConstraint("status in ('uploading', 'checking', 'ready', 'refused')", name="status"),
        CheckConstraint("format in ('csv', 'jsonl', 'parquet')", name="format"),
    )

    version_id: Mapped[UUID] = mapped_column(ForeignKey("dataset_version.id", ondelete="CASCADE"))
    split: Mapped[str]
    file_name: Mapped[str]
    format: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    checksum: Mapped[str | None]
    status: Mapped[str]
    reason: Mapped[str | None]
    row_count: Mapped[int | None] = mapped_column(BigInteger)
    columns: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    object_name: Mapped[str] = mapped_column(unique=True)
    upload_id: Mapped[str | None]
    upload_expires_at: Mapped[datetime | None]
    stored: Mapped[bool] = mapped_column(default=True)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user.id"))


class FileCheck(TenantOwned, LeasedRow):
    """A file that waits to be read; deleted once that has an outcome. Whoever reads it has the lease."""

    __tablename__ = "dataset_file_check"
    audited = NotAudited("what becomes of the file is in the file's own entries")

    file_id: Mapped[UUID] = mapped_column(ForeignKey("dataset_file.id", ondelete="CASCADE"), unique=True)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(default=func.now())


class FilePreview(Base):
    """The first rows of a file that is ready, as they are shown: JSON, a list of `reading.protocol.Row`."""

    __tablename__ = "dataset_file_preview"
    audited = NotAudited("made from a file, whose own entry is there")

    file_id: Mapped[UUID] = mapped_column(ForeignKey("dataset_file.id", ondelete="CASCADE"), unique=True)
    rows: Mapped[bytes]


Index(
    "uq_dataset_project_id_name",
    Dataset.project_id,
    func.lower(Dataset.name),
    unique=True,
    postgresql_where=not_deleted(Dataset),
)
Index("ix_dataset_tenant_id_created_at", Dataset.tenant_id, Dataset.created_at.desc(), Dataset.id.desc())
Index("ix_dataset_deleted", Dataset.id, postgresql_where=Dataset.status == literal_column("'deleted'"))
Index(
    "uq_dataset_file_version_id_split",
    DatasetFile.version_id,
    DatasetFile.split,
    unique=True,
    postgresql_where=DatasetFile.status != literal_column("'refused'"),
)
_uploading = DatasetFile.status == literal_column("'uploading'")
_refused = DatasetFile.status == literal_column("'refused'")

Index("ix_dataset_file_check_tenant_id_due_at", FileCheck.tenant_id, FileCheck.due_at)
Index("ix_dataset_file_uploading", DatasetFile.upload_expires_at, postgresql_where=_uploading)
Index("ix_dataset_file_refused", DatasetFile.id, postgresql_where=_refused & DatasetFile.stored)
