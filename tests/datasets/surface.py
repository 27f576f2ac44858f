from datetime import timedelta
from uuid import UUID

from pydantic_core import to_json
from uuid_utils.compat import uuid7

from budapp.commons.config import Settings
from budapp.commons.database import now
from budapp.dataset_ops.models import Dataset, DatasetFile, DatasetVersion, FilePreview, FileStatus
from budapp.dataset_ops.reading.protocol import Row
from budapp.integrations.storage import Storage
from tests.datasets.data import CSV
from tests.stack import http_client
from tests.surface.share import Audited, RequestContext, SeedContext, Share, Things, Valid

_COLUMNS = [
    {"name": "id", "type": "int64"},
    {"name": "text", "type": "string"},
    {"name": "score", "type": "double"},
]


async def _seed_project(context: SeedContext) -> Things:
    """Put in a dataset whose first version has a file that is ready (`split`), and one on its way (`file_id`)."""
    dataset = Dataset(id=uuid7(), project_id=context.id_of("project_id"), name="Prompts", **context.owned)
    version = DatasetVersion(id=uuid7(), dataset_id=dataset.id, number=1, **context.owned)
    about = {"version_id": version.id, "file_name": "data.csv", "format": "csv", "size": len(CSV), **context.owned}
    ready = DatasetFile(id=uuid7(), split="train", status=FileStatus.READY, object_name=str(uuid7()), **about)
    ready.row_count, ready.columns = 3, _COLUMNS
    coming = DatasetFile(id=uuid7(), split="test", status=FileStatus.UPLOADING, object_name=str(uuid7()), **about)
    coming.upload_id, coming.upload_expires_at = "none", now() + timedelta(hours=1)
    preview = FilePreview(file_id=ready.id, rows=to_json([Row({"id": 1, "text": "one", "score": 0.5})]))
    await context.add(dataset, version, ready, coming, preview)
    names = {"number": "1", "split": "train", "free_split": "validation", "etag": "none"}
    return {"dataset_id": str(dataset.id), "file_id": str(coming.id), "ready_file_id": str(ready.id), **names}


async def _store(context: RequestContext) -> tuple[Storage, str]:
    """Return the store, and the bucket of datasets, which is there."""
    storage, bucket = context.component(Storage), context.component(Settings).minio_dataset_bucket
    await storage.ensure_bucket(bucket)
    return storage, bucket


async def _bucket(context: RequestContext) -> None:
    await _store(context)


async def _uploaded(context: RequestContext) -> None:
    """Have the parts of the file that is on its way in the store."""
    storage, bucket = await _store(context)
    async with context.database.write() as session:
        file = await session.get_one(DatasetFile, UUID(context.things["file_id"]))
        file.upload_id = await storage.begin_upload(bucket, file.object_name)
    address = await storage.presigned_part(bucket, file.object_name, file.upload_id, 1, timedelta(minutes=5))
    async with http_client() as browser:
        context.things["etag"] = (await browser.put(address, content=CSV)).headers["etag"]


_VERSION = "/datasets/{dataset_id}/versions/{number}"

share = Share(
    "dataset_ops",
    seed_project=_seed_project,
    requests={
        "POST /datasets": Valid(lambda t: {"project_id": t["project_id"], "name": "New"}),
        "PATCH /datasets/{dataset_id}": Valid(lambda t: {"name": "Renamed"}),
        f"POST {_VERSION}/uploads": Valid(
            lambda t: {"split": t["free_split"], "file_name": "data.csv", "size": len(CSV)}, prepare=_bucket
        ),
        f"POST {_VERSION}/uploads/{{file_id}}/complete": Valid(
            lambda t: {"parts": [{"number": 1, "etag": t["etag"]}]}, prepare=_uploaded
        ),
        f"DELETE {_VERSION}/uploads/{{file_id}}": Valid(prepare=_bucket),
        f"PUT {_VERSION}/files/{{split}}": Valid(
            path={"split": "free_split"}, files={"file": ("data.csv", CSV)}, prepare=_bucket
        ),
    },
    audited={
        "POST /datasets": Audited("create", "dataset"),
        "PATCH /datasets/{dataset_id}": Audited("update", "dataset"),
        "DELETE /datasets/{dataset_id}": Audited("update", "dataset"),
        "POST /datasets/{dataset_id}/versions": Audited("create", "dataset"),
        f"POST {_VERSION}/uploads": Audited("create", "file"),
        f"POST {_VERSION}/uploads/{{file_id}}/complete": Audited("update", "file"),
        f"DELETE {_VERSION}/uploads/{{file_id}}": Audited("delete", "file"),
        f"PUT {_VERSION}/files/{{split}}": Audited("create", "file"),
    },
)
