"""Object storage over S3. The client library blocks, so each call runs in a thread of the store's own."""

import asyncio
import os
import ssl
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from io import BytesIO
from typing import Any, TypeVar, cast
from urllib.parse import quote
from xml.etree import ElementTree

import httpx
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.credentials.providers import ChainedProvider, EnvAWSProvider, IamAwsProvider, Provider, StaticProvider
from minio.error import MinioException, S3Error
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from budapp.commons.config import Settings
from budapp.commons.errors import AppError, BadRequest, NotFound, Unavailable
from budapp.commons.outages import STORAGE, outages, timed, unavailable
from budapp.integrations.http_transport import Transport

T = TypeVar("T")

MAX_URL_LIFETIME = timedelta(days=7)
"""As long as S3 lets a presigned address be valid."""

_THREADS = 16
_HEALTH_SECONDS = 2
_UNREACHABLE = "The file store is unavailable; try again later"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in a bucket; `size` is in bytes."""

    name: str
    size: int
    modified_at: datetime


class Storage:
    """The buckets of one S3 server."""

    def __init__(self, settings: Settings) -> None:
        self._identity = _Identity(settings)
        self._client = self._connect(settings, settings.minio_endpoint, secure=settings.minio_secure)
        public = settings.minio_public_endpoint or settings.minio_endpoint
        self._public = self._connect(settings, public, secure=settings.minio_public_secure)
        self._bucket = settings.minio_bucket
        # Of its own, so that a store that hangs holds up nobody else's threads.
        self._threads = ThreadPoolExecutor(_THREADS, "storage")
        tls = ssl.create_default_context(cafile=settings.minio_ca_file) if settings.minio_ca_file else True
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(30, connect=2), transport=Transport(verify=tls))

    def _connect(self, settings: Settings, endpoint: str, *, secure: bool) -> Minio:
        return Minio(
            endpoint,
            credentials=self._identity,
            secure=secure,
            region=settings.minio_region,
            http_client=_connections(settings.minio_ca_file),
        )

    async def close(self) -> None:
        """Close every connection."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self._http.aclose()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        with timed(STORAGE), _translated():
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _call(self, method: str, *args: Any, **options: Any) -> Any:
        return await self._in_thread(partial(getattr(self._client, method), *args, **options))

    async def _signer(self, client: Minio) -> Minio:
        """Return the client, once it can sign without asking for credentials: that would hold the event loop."""
        if self._identity.is_stale:
            await self._in_thread(self._identity.retrieve)
        return client

    async def healthy(self) -> bool:
        """Tell whether the store answers, and takes our keys; no thread is held by one that hangs."""
        try:
            signer = await self._signer(self._client)
            url = signer.get_presigned_url("GET", self._bucket, "health", expires=timedelta(minutes=1))
            answer = await self._http.get(url, timeout=_HEALTH_SECONDS)
        except (httpx.HTTPError, Unavailable):
            return False
        return answer.status_code in {200, 404}

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

    async def get(self, bucket: str, name: str) -> bytes:
        """Return the content of a small object.

        Raises:
            NotFound: there is no such object.
        """

        def read() -> bytes:
            response = self._client.get_object(bucket, name)
            try:
                return bytes(response.read())
            finally:
                response.close()
                response.release_conn()

        return await self._in_thread(read)

    async def list_objects(self, bucket: str, prefix: str) -> list[StoredObject]:
        """Return all objects whose names begin with the prefix."""

        def read() -> list[StoredObject]:
            found = self._client.list_objects(bucket, prefix=prefix, recursive=True)
            return [
                StoredObject(str(one.object_name), one.size or 0, cast("datetime", one.last_modified)) for one in found
            ]

        return await self._in_thread(read)

    async def size(self, bucket: str, name: str) -> int:
        """Return how many bytes the object has.

        Raises:
            NotFound: there is no such object.
        """
        found = await self._call("stat_object", bucket, name)
        return int(found.size)

    async def presigned_get(self, bucket: str, name: str, expires: timedelta, file_name: str) -> str:
        """Return an address from which anyone can download the object, as `file_name`, until it expires."""
        headers: Any = {"response-content-disposition": f"attachment; filename*=UTF-8''{quote(file_name)}"}
        signer = await self._signer(self._public)
        return signer.presigned_get_object(bucket, name, expires=expires, response_headers=headers)

    async def internal_url(self, bucket: str, name: str, expires: timedelta) -> str:
        """Return an address from which whoever reaches the store as we do can read this one object until it expires."""
        signer = await self._signer(self._client)
        return signer.presigned_get_object(bucket, name, expires=expires)

    async def presigned_part(self, bucket: str, name: str, upload_id: str, number: int, expires: timedelta) -> str:
        """Return an address to which anyone can PUT part `number` (from 1) of the upload until it expires."""
        query: Any = {"partNumber": str(number), "uploadId": upload_id}
        signer = await self._signer(self._public)
        return signer.get_presigned_url("PUT", bucket, name, expires=expires, extra_query_params=query)

    async def begin_upload(self, bucket: str, name: str) -> str:
        """Begin to upload an object in parts, and return the upload's id."""
        answer = await self._signed("POST", bucket, name, {"uploads": ""})
        upload_id = answer.findtext("{*}UploadId")
        if upload_id is None:
            raise Unavailable("The file store did not start the upload; try again later")
        return upload_id

    async def complete_upload(self, bucket: str, name: str, upload_id: str, parts: Sequence[tuple[int, str]]) -> None:
        """Put the object together from its parts.

        Args:
            bucket: where the object is.
            name: the object.
            upload_id: what `begin_upload` returned.
            parts: number and ETag of each, in order.

        Raises:
            NotFound: there is no such upload, or it was completed before.
            BadRequest: a part is missing, another one, or too small.
        """
        root = ElementTree.Element("CompleteMultipartUpload")
        for number, etag in parts:
            part = ElementTree.SubElement(root, "Part")
            ElementTree.SubElement(part, "PartNumber").text = str(number)
            ElementTree.SubElement(part, "ETag").text = etag
        await self._signed("POST", bucket, name, {"uploadId": upload_id}, ElementTree.tostring(root))

    async def abort_upload(self, bucket: str, name: str, upload_id: str) -> None:
        """Give up the upload and its parts; one that is gone already is no error."""
        try:
            await self._signed("DELETE", bucket, name, {"uploadId": upload_id})
        except NotFound:
            return

    async def _signed(
        self, method: str, bucket: str, name: str, query: dict[str, str], body: bytes = b""
    ) -> ElementTree.Element:
        """Send what the client library has no public method for, signed by it, and return the root of the answer."""
        signed: Any = query
        signer = await self._signer(self._client)
        url = signer.get_presigned_url(method, bucket, name, expires=timedelta(minutes=1), extra_query_params=signed)
        try:
            answer = await self._http.request(method, url, content=body)
        except httpx.HTTPError as error:
            raise unavailable(STORAGE, _UNREACHABLE, error) from error
        # A completion answers 200 at once and may still bring an error in its body.
        root = ElementTree.fromstring(answer.content or b"<empty/>")  # noqa: S314 - our own store's answer
        if answer.is_success and not root.tag.endswith("Error"):
            return root
        raise _error_of(root.findtext("Code") or "")


class _Identity(Provider):
    """Who we are to the store: by the keys of the settings, or as the workload that the environment says we are."""

    def __init__(self, settings: Settings) -> None:
        access, secret = settings.minio_access_key, settings.minio_secret_key
        self._source: Provider
        if access and secret:
            self._source = StaticProvider(access.get_secret_value(), secret.get_secret_value())
        else:
            self._source = ChainedProvider([EnvAWSProvider(), _of_workload(settings)])
        self._known: Credentials | None = None

    @property
    def is_stale(self) -> bool:
        """Tell whether the next `retrieve` asks for new credentials."""
        return self._known is None or self._known.is_expired()

    def retrieve(self) -> Credentials:
        """Return the credentials; blocks where they are stale.

        Raises:
            MinioException: the environment has none.
        """
        if self._known is None or self._known.is_expired():
            try:
                self._known = self._source.retrieve()
            except ValueError as error:
                raise MinioException(
                    f"neither MINIO_ACCESS_KEY nor a workload identity can be used: {error}"
                ) from error
        return self._known


def _of_workload(settings: Settings) -> Provider:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_STS")
    own = settings.minio_ca_file if endpoint else None
    return IamAwsProvider(custom_endpoint=endpoint, http_client=_connections(own), region=settings.minio_region)


def _connections(ca_file: str | None) -> PoolManager:
    timeout = Timeout(connect=2, read=10)
    return PoolManager(timeout=timeout, retries=Retry(total=1), maxsize=16, ca_certs=ca_file)


def _error_of(code: str) -> AppError:
    """Return what an S3 error means here."""
    if code in {"NoSuchKey", "NoSuchBucket", "NoSuchUpload"}:
        return NotFound("File not found")
    if code in {"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "MalformedXML"}:
        return BadRequest("The parts are not what was uploaded", param="parts")
    return Unavailable("The file store rejected the request; try again later")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
        outages.answered(STORAGE)
    except S3Error as error:
        raise _error_of(error.code or "") from error
    except (MinioException, HTTPError, OSError) as error:
        raise unavailable(STORAGE, _UNREACHABLE, error) from error
