"""A stored file as a stream, or as something to read at any place."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import urllib3

from budapp.dataset_ops.reading.protocol import FileGone, StoreFailed

BUFFER_BYTES = 1024 * 1024
_KEPT_BLOCKS = 32


class Source:
    """A file behind an address; every call blocks.

    Raises:
        FileGone: the store has no such file.
        StoreFailed: the store does not answer, also while it is read.
    """

    def __init__(self, url: str, size: int) -> None:
        timeout = urllib3.Timeout(connect=2, read=30)
        self._http = urllib3.PoolManager(timeout=timeout, retries=urllib3.Retry(total=2, redirect=0))
        self._url = url
        self.size = size

    @contextmanager
    def stream(self) -> Iterator["HashingStream"]:
        """Open the whole file."""
        with self._opened({}) as response:
            yield HashingStream(response)

    def range(self, start: int, length: int) -> bytes:
        """Return `length` bytes from `start` on; both must be within the file."""
        with self._opened({"Range": f"bytes={start}-{start + length - 1}"}) as response:
            return _exactly(response, length)

    @contextmanager
    def _opened(self, headers: dict[str, str]) -> Iterator[urllib3.BaseHTTPResponse]:
        try:
            response = self._http.request("GET", self._url, headers=headers, preload_content=False)
            try:
                if response.status == 404:
                    raise FileGone
                if response.status not in {200, 206}:
                    raise StoreFailed(f"status {response.status}")
                yield response
            finally:
                response.close()
        except urllib3.exceptions.HTTPError as error:
            raise StoreFailed(repr(error)) from error


def _exactly(response: urllib3.BaseHTTPResponse, length: int) -> bytes:
    data = response.read(length)
    if len(data) != length:
        raise StoreFailed("the answer is shorter than asked for")
    return data


class HashingStream(io.RawIOBase):
    """Passes a stream on, and keeps the SHA-256 of what went by; `position` counts its bytes."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self.position = 0
        self._response = response
        self._hash = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._response.read(len(buffer))
        except urllib3.exceptions.HTTPError as error:
            raise StoreFailed(repr(error)) from error
        buffer[: len(data)] = data
        self._hash.update(data)
        self.position += len(data)
        return len(data)

    def checksum(self) -> str:
        """Read what is left, and return the sum of all."""
        while self.read(BUFFER_BYTES):
            pass
        return self._hash.hexdigest()


class SeekableFile(io.RawIOBase):
    """A file that is read at any place, in blocks of which the last few are kept."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._position = 0
        self._block = lru_cache(maxsize=_KEPT_BLOCKS)(self._fetched)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._source.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        if self._position >= self._source.size:
            return 0
        number, start = divmod(self._position, BUFFER_BYTES)
        data = self._block(number)[start : start + len(buffer)]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _fetched(self, number: int) -> bytes:
        start = number * BUFFER_BYTES
        return self._source.range(start, min(BUFFER_BYTES, self._source.size - start))
