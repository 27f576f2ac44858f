"""Object storage over S3. The client library blocks, so each call runs in a thread."""

import asyncio
from datetime import timedelta
from io import BytesIO
from typing import Any

from minio import Minio
from minio.error import MinioException, S3Error
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from budapp.commons.config import Settings
from budapp.commons.errors import NotFound, Unavailable


class Storage:
    """The buckets of one S3 server."""

    def __init__(self, settings: Settings) -> None:
        self._client = Minio(
            settings.minio_endpoint,
            access_key=settings.minio_access_key.get_secret_value(),
            secret_key=settings.minio_secret_key.get_secret_value(),
            secure=settings.minio_secure,
            region="us-east-1",
            http_client=PoolManager(timeout=Timeout(connect=2, read=30), retries=Retry(total=1), maxsize=16),
        )

    async def _call(self, method: str, *args: Any, **options: Any) -> Any:
        try:
            return await asyncio.to_thread(getattr(self._client, method), *args, **options)
        except S3Error as error:
            if error.code in {"NoSuchKey", "NoSuchBucket"}:
                raise NotFound("There is no such file") from error
            raise Unavailable("The file store refused this; try again soon") from error
        except (MinioException, HTTPError, OSError) as error:
            raise Unavailable("The file store cannot be reached; try again soon") from error

    async def healthy(self) -> bool:
        """Tell whether the store answers."""
        try:
            await self._call("list_buckets")
        except Unavailable:
            return False
        return True

    async def ensure_bucket(self, bucket: str) -> None:
        """Make the bucket where it is missing."""
        if not await self._call("bucket_exists", bucket):
            await self._call("make_bucket", bucket)

    async def put(self, bucket: str, name: str, content: bytes, content_type: str) -> None:
        """Store the content under the name."""
        await self._call("put_object", bucket, name, BytesIO(content), len(content), content_type=content_type)

    async def delete(self, bucket: str, name: str) -> None:
        """Delete the object; a missing one is no error."""
        await self._call("remove_object", bucket, name)

    def presigned_get(self, bucket: str, name: str, expires: timedelta) -> str:
        """Return an address that lets anyone read the object until it expires."""
        url: str = self._client.presigned_get_object(bucket, name, expires=expires)
        return url
