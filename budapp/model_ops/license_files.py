"""The files of licenses: taken in, kept in the object store, and shown to whoever has seen the model lately.

An object is there before its row is committed and goes after it, so a sweeper removes what no row names.
"""

import base64
import json
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import UploadFile
from uuid_utils.compat import uuid7

from budapp.commons.config import Settings
from budapp.commons.database import Database, now
from budapp.commons.domain import provided
from budapp.commons.encryption import DecryptionError, Encryption
from budapp.commons.errors import (
    NotFound,
    PayloadTooLarge,
    Unavailable,
    UnprocessableContent,
    UnsupportedMediaType,
)
from budapp.commons.isolation import each_isolated
from budapp.integrations.storage import Storage
from budapp.model_ops import crud

MAX_BYTES = 400_000
MAX_WORDS = 50_000

_FOLDER = "licenses/"
_SHARED = f"{_FOLDER}common_licenses/"
_CONTEXT = "license-link"
_UNNAMED_FOR = timedelta(hours=1)
_MEDIA_TYPES = {
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".rst": "text/x-rst; charset=utf-8",
    ".pdf": "application/pdf",
}


@dataclass(frozen=True, slots=True)
class LicenseFile:
    """A file that has been checked."""

    name: str
    content: bytes
    media_type: str

    @property
    def suffix(self) -> str:
        """The name's ending, in lower case."""
        return PurePosixPath(self.name).suffix.lower()


async def read_upload(upload: UploadFile) -> LicenseFile:
    """Return the uploaded license.

    Raises:
        UnsupportedMediaType: neither text nor PDF, by its name or its content.
        PayloadTooLarge: more than `MAX_BYTES`.
        UnprocessableContent: empty, or more than `MAX_WORDS` words.
    """
    name = PurePosixPath((upload.filename or "").replace("\\", "/")).name[-100:]
    media_type = _MEDIA_TYPES.get(PurePosixPath(name).suffix.lower())
    if media_type is None:
        raise UnsupportedMediaType(f"A license file must be one of {', '.join(_MEDIA_TYPES)}", param="license_file")
    content = await upload.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise PayloadTooLarge(f"A license file may have at most {MAX_BYTES // 1000} kB", param="license_file")
    _check_content(content, is_pdf=media_type == _MEDIA_TYPES[".pdf"])
    return LicenseFile(name, content, media_type)


def _check_content(content: bytes, *, is_pdf: bool) -> None:
    if not content.strip():
        raise UnprocessableContent("The file is empty", param="license_file")
    if is_pdf:
        if not content.startswith(b"%PDF-"):
            raise UnsupportedMediaType("The file is not a PDF", param="license_file")
        return
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UnsupportedMediaType("The file is not UTF-8 text", param="license_file") from error
    if "\0" in text:
        raise UnsupportedMediaType("The file is not text", param="license_file")
    if len(text.split()) > MAX_WORDS:
        raise UnprocessableContent(f"A license file may have at most {MAX_WORDS} words", param="license_file")


@dataclass(frozen=True, slots=True)
class LicenseFiles:
    """The object store as licenses use it."""

    storage: Storage
    bucket: str
    encryption: Encryption
    link_lifetime: timedelta
    public_base: str

    @classmethod
    def of(cls, settings: Settings, storage: Storage, encryption: Encryption) -> "LicenseFiles":
        """Return it after the settings."""
        lifetime = timedelta(seconds=settings.presigned_url_seconds)
        return cls(storage, settings.minio_model_bucket, encryption, lifetime, settings.callback_base)

    async def put(self, model_id: UUID, file: LicenseFile) -> str:
        """Store the file, and return the name of its object."""
        name = f"{_FOLDER}{model_id}/{uuid7()}{file.suffix}"
        await self.storage.put(self.bucket, name, file.content, file.media_type)
        return name

    def link(self, object_name: str, file_name: str) -> str:
        """Return a path under `/static/` where anyone can read the file for a while."""
        expires = int(time.time() + self.link_lifetime.total_seconds())
        sealed = self.encryption.encrypt(json.dumps([object_name, expires]), _CONTEXT)
        token = base64.urlsafe_b64encode(sealed.encode()).decode()
        return f"{_FOLDER}{token}/{quote(file_name, safe='')}"

    def address(self, link: str) -> str:
        """Return the absolute address of a link, for browsers."""
        return f"{self.public_base}/static/{link}"

    async def read(self, token: str) -> tuple[bytes, str]:
        """Return content and media type of the file that a link was made for.

        Raises:
            NotFound: the link is made up or too old, or the file is gone.
        """
        try:
            sealed = base64.urlsafe_b64decode(token).decode()
            object_name, expires = json.loads(self.encryption.decrypt(sealed, _CONTEXT))
        except (DecryptionError, ValueError) as error:
            raise NotFound("File not found") from error
        if expires < time.time():
            raise NotFound("The link has expired; open the model again")
        content = await self.storage.get(self.bucket, object_name)
        return content, _MEDIA_TYPES[PurePosixPath(object_name).suffix]

    async def sweep(self, database: Database) -> None:
        """Delete the objects that no license names, but for new ones, whose row may be on its way."""
        before = now() - _UNNAMED_FOR
        found = await self.storage.list_objects(self.bucket, _FOLDER)
        old = [item.name for item in found if item.modified_at < before and not item.name.startswith(_SHARED)]
        if not old:
            return
        async with database.read() as session:
            named = await crud.license_paths(session, old)
        unnamed = [name for name in old if name not in named]
        delete = partial(self.storage.delete, self.bucket)
        await each_isolated(database, "sweep_license_files", unnamed, delete, passing=(Unavailable,))


LicenseFilesDep = Annotated[LicenseFiles, provided(LicenseFiles)]
