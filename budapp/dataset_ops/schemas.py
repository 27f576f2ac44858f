from datetime import datetime
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from budapp.commons.paging import Paging
from budapp.commons.schemas import Answer, Name, OptionalText, PageAnswer, Schema
from budapp.dataset_ops.models import DatasetFile, FileStatus

MAX_PARTS = 1000

Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
Split = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,49}$")]
"""Usually `train`, `validation` or `test`."""


def _is_plain(name: str) -> str:
    if PurePosixPath(name).name != name or "\\" in name or not name.isprintable():
        raise ValueError("must be a file name without a path")
    return name


FileName = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_is_plain)]


class BenchmarkDatasetQuery(Paging):
    """With `search`, `name` is looked for in names; without, it must be the dataset's name."""

    name: OptionalText = None


class BenchmarkDatasetView(Schema):
    id: UUID
    name: str
    display_name: str | None
    description: str | None
    tags: dict[str, Any] | None = Field(description="Role → how conversations mark it")
    hf_hub_url: str | None = Field(description="Its name at Hugging Face; null where it is not there")
    ms_hub_url: str | None = Field(description="Its name at ModelScope; null where it is not there")
    script_url: str | None
    file_name: str | None
    formatting: str | None = Field(description="The layout of its rows, such as `sharegpt`")
    ranking: bool = Field(description="Whether its rows rank answers")
    subset: str | None
    split: str | None
    folder: str | None
    columns: dict[str, Any] | None = Field(description="What is needed → the name of its column")
    status: Literal["active", "inactive"]
    num_samples: int
    created_at: datetime
    modified_at: datetime


class BenchmarkDatasetList(PageAnswer):
    object: Literal["datasets.list"] = "datasets.list"
    message: str = "Datasets found"
    datasets: list[BenchmarkDatasetView]


class DatasetQuery(Paging):
    """With `search`, `name` is looked for in names; without, it must be the dataset's name."""

    name: OptionalText = None
    project_id: UUID | None = None


class DatasetCreate(Schema):
    project_id: UUID
    name: Name
    description: Description | None = None


class DatasetUpdate(Schema):
    name: Name | None = None
    description: Description | None = None


class DatasetSummary(Schema):
    """`latest_version` is None, and `size` 0, until there is a version with a file that is ready."""

    id: UUID
    project_id: UUID
    name: str
    description: str | None
    created_by: UUID
    created_at: datetime
    modified_at: datetime
    latest_version: int | None
    size: int = Field(description="Total bytes of the files that are ready")


class ColumnView(Schema):
    name: str
    type: str = Field(description="Arrow's name of the type, or `mixed`", examples=["int64", "string"])


class FileView(Schema):
    """A split's file; `columns` and `row_count` are known once it is ready, `reason` says why it was refused."""

    id: UUID
    split: str
    file_name: str
    format: Literal["csv", "jsonl", "parquet"]
    size: int = Field(description="Bytes")
    checksum: str | None = Field(description="SHA-256, in hexadecimal")
    status: FileStatus
    reason: str | None
    row_count: int | None = Field(description="How many rows the file has; null until it is ready")
    columns: list[ColumnView] | None
    created_at: datetime


class DatasetVersionView(Schema):
    number: int = Field(description="The number of the version, from 1")
    created_by: UUID
    created_at: datetime
    files: list[FileView]


class DatasetView(DatasetSummary):
    versions: list[DatasetVersionView] = Field(description="Newest first")


class DatasetList(PageAnswer):
    object: Literal["dataset.list"] = "dataset.list"
    message: str = "Datasets found"
    datasets: list[DatasetSummary]


class DatasetRetrieved(Answer):
    object: Literal["dataset.get"] = "dataset.get"
    message: str = "Dataset found"
    dataset: DatasetView


class DatasetSaved(Answer):
    object: Literal["dataset.create", "dataset.update"] = "dataset.create"
    message: str = "Dataset created"
    dataset: DatasetSummary

    @classmethod
    def created(cls, row: Any) -> Self:
        return cls(dataset=DatasetSummary.model_validate(row))

    @classmethod
    def updated(cls, row: Any) -> Self:
        return cls(object="dataset.update", message="Dataset changed", dataset=DatasetSummary.model_validate(row))


class DatasetDeleted(Answer):
    object: Literal["dataset.delete"] = "dataset.delete"
    message: str = "Dataset deleted"


class VersionCreated(Answer):
    object: Literal["dataset.version.create"] = "dataset.version.create"
    message: str = "Version created"
    version: DatasetVersionView


class UploadCreate(Schema):
    """`checksum` is the content's SHA-256 in hexadecimal; content with another one is refused."""

    split: Split = "train"
    file_name: FileName
    size: int = Field(ge=1, description="Bytes")
    checksum: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$", to_lower=True)] | None = Field(
        default=None, description="SHA-256 of the content, in hexadecimal; null to have none checked"
    )


class PartView(Schema):
    number: int = Field(description="The number of the part, from 1")
    url: str = Field(description="Where to PUT the part")


class UploadCreated(Answer):
    """PUT each part of `part_size` bytes (the last one shorter) to its address, and keep the `ETag` of each answer."""

    object: Literal["dataset.upload.create"] = "dataset.upload.create"
    message: str = "Upload the parts"
    file: FileView
    part_size: int = Field(description="How many bytes a part has; the last one has the rest")
    parts: list[PartView]
    expires_in: int = Field(description="Seconds for which the addresses are valid")


class UploadedPart(Schema):
    number: int = Field(ge=1, le=MAX_PARTS, description="The number of the part, from 1")
    etag: str = Field(min_length=1, max_length=100, description="The `ETag` of the answer to the PUT")


class UploadComplete(Schema):
    parts: list[UploadedPart] = Field(min_length=1, max_length=MAX_PARTS)


_ACCEPTED = {
    FileStatus.UPLOADING: "The file is being uploaded",
    FileStatus.CHECKING: "The file is being checked",
    FileStatus.READY: "The file is ready",
    FileStatus.REFUSED: "The file was refused",
}


class FileAccepted(Answer):
    object: Literal["dataset.file"] = "dataset.file"
    message: str
    file: FileView

    @classmethod
    def of(cls, file: DatasetFile) -> Self:
        message = file.reason or _ACCEPTED[FileStatus(file.status)]
        return cls(message=message, file=FileView.model_validate(file))


class UploadAborted(Answer):
    object: Literal["dataset.upload.delete"] = "dataset.upload.delete"
    message: str = "Upload given up"


class Download(Answer):
    object: Literal["dataset.download"] = "dataset.download"
    message: str = "Download the file from this address"
    url: str
    expires_in: int = Field(description="Seconds for which the address is valid")


class Preview(Answer):
    object: Literal["dataset.preview"] = "dataset.preview"
    message: str = "The first rows"
    columns: list[ColumnView]
    rows: list[dict[str, Any]]
    row_count: int = Field(description="Number of rows in the file")
    cut_columns: list[str] = Field(description="Columns with cells that are cut; a cut cell ends with `…`")


def dataset_view(dataset: Any, versions: list[DatasetVersionView]) -> DatasetView:
    """Return the dataset with its versions."""
    return DatasetView(**DatasetSummary.model_validate(dataset).model_dump(), versions=versions)
