"""Files of datasets, sent in parts directly to the object store."""

import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import httpx

from budapp_client.connection import Budapp, answer
from budapp_client.errors import BudappError, NoAnswer
from budapp_client.rest.api.datasets import (
    datasets_abort_upload,
    datasets_begin_upload,
    datasets_complete_upload,
    datasets_create_version,
    datasets_get,
)
from budapp_client.rest.models import FileView, UploadComplete, UploadCreate, UploadCreated, UploadedPart

_PART_TIMEOUT = httpx.Timeout(600, connect=10)
_TRIES = 3
_LOOK_SECONDS = 0.5

OnSent = Callable[[int, int], None]
"""Is told how many bytes are sent, and of how many."""


def upload(
    api: Budapp,
    dataset_id: UUID,
    path: Path,
    split: str = "train",
    version: int | None = None,
    on_sent: OnSent | None = None,
) -> FileView:
    """Send a file as a split of a new version, or of the one that is named; an upload that breaks off is aborted.

    The service then checks the file: see `wait_until_checked`.
    """
    size = path.stat().st_size
    if size == 0:
        raise BudappError(f"{path} is empty")
    if version is None:
        version = answer(datasets_create_version.sync(dataset_id, client=api)).version.number
    body = UploadCreate(file_name=path.name, size=size, split=split)
    begun = answer(datasets_begin_upload.sync(dataset_id, version, client=api, body=body))
    try:
        done = UploadComplete(parts=_send(begun, path, size, on_sent))
        return answer(datasets_complete_upload.sync(dataset_id, version, begun.file.id, client=api, body=done)).file
    except BaseException:
        datasets_abort_upload.sync(dataset_id, version, begun.file.id, client=api)
        raise


def wait_until_checked(api: Budapp, dataset_id: UUID, file_id: UUID, seconds: float = 600) -> FileView:
    """Return the file once the service has looked at it.

    Raises:
        BudappError: it was refused, and why; or it is not checked after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        versions = answer(datasets_get.sync(dataset_id, client=api)).dataset.versions
        for file in (file for version in versions for file in version.files if file.id == file_id):
            if file.status == "refused":
                raise BudappError(f"{file.file_name} was refused: {file.reason}")
            if file.status == "ready":
                return file
        time.sleep(_LOOK_SECONDS)
    raise BudappError(f"The file is not checked after {seconds:g} s")


def _send(begun: UploadCreated, path: Path, size: int, on_sent: OnSent | None) -> list[UploadedPart]:
    sent = 0
    done: list[UploadedPart] = []
    with path.open("rb") as file, httpx.Client(timeout=_PART_TIMEOUT) as store:
        for part in sorted(begun.parts, key=lambda part: part.number):
            piece = file.read(begun.part_size)
            done.append(UploadedPart(number=part.number, etag=_put(store, part.url, piece)))
            sent += len(piece)
            if on_sent:
                on_sent(sent, size)
    return done


def _put(store: httpx.Client, url: str, piece: bytes) -> str:
    """Send a part, if need be again, and return what the store knows it by."""
    place, why = httpx.URL(url).netloc.decode(), ""
    for attempt in range(_TRIES):
        time.sleep(attempt)
        try:
            response = store.put(url, content=piece)
        except httpx.TransportError as error:
            why = f"does not answer ({str(error) or type(error).__name__})"
            continue
        if response.is_success:
            return response.headers["etag"]
        why = f"answered {response.status_code}"
        if response.is_client_error:
            break
    raise NoAnswer(f"The object store at {place} {why}: the part could not be sent")
