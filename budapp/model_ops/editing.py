"""Changing and deleting models."""

from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from budapp.commons.access import Caller
from budapp.commons.database import WriteSession, hold, release
from budapp.commons.errors import BadRequest, Conflict
from budapp.commons.integrity import conflict_on
from budapp.events.outbox import enqueue_call
from budapp.integrations import budmodel
from budapp.model_ops import crud
from budapp.model_ops.creation import NAME_TAKEN
from budapp.model_ops.crud import ModelCrud
from budapp.model_ops.license_files import LicenseFiles, read_upload
from budapp.model_ops.models import License, LicenseKind, Model, ModelStatus, Paper
from budapp.model_ops.schemas import ModelEdit
from budapp.provider_ops.models import ProviderType

_UNTITLED = "Untitled Research Paper"
_COLUMNS = ("name", "description", "icon", "github_url", "huggingface_url", "website_url")
_WITH_PROVIDERS_ICON = (ProviderType.CLOUD_MODEL, ProviderType.HUGGING_FACE)


async def edit_model(
    session: WriteSession, caller: Caller, files: LicenseFiles, model_id: UUID, edit: ModelEdit
) -> License | None:
    """Change what the edit says, and return the license where it is a new one.

    Raises:
        NotFound: no such model, or another tenant's.
        BadRequest: the icon can't be changed.
        Conflict: another model has this name.
        UnsupportedMediaType, PayloadTooLarge: see `read_upload`.
    """
    model = await ModelCrud(session, caller).get(model_id)
    given = edit.model_fields_set
    if edit.icon is not None and model.provider_type in _WITH_PROVIDERS_ICON:
        raise BadRequest("A cloud model has the icon of its provider", param="icon")
    # The file is stored before anything is locked, and without a connection.
    await release(session)
    upload = await read_upload(edit.license_file) if edit.license_file is not None else None
    path = await files.put(model_id, upload) if upload else None
    model = await ModelCrud(session, caller).get(model_id, for_update=True)
    for name in given.intersection(_COLUMNS):
        setattr(model, name, getattr(edit, name))
    for name in given.intersection(("tags", "tasks")):
        setattr(model, name, [mark.model_dump() for mark in getattr(edit, name)])
    with conflict_on("uq_model_name", Conflict(NAME_TAKEN, param="name")):
        await session.flush()
    if edit.paper_urls is not None:
        await _replace_papers(session, model, edit.paper_urls)
    if upload is not None:
        return await _set_license(session, model, path=path, name=upload.name, data_type=LicenseKind.MINIO, url=None)
    if edit.license_url is not None:
        link = edit.license_url
        return await _set_license(session, model, path=link, url=link, data_type=LicenseKind.URL, name=None)
    if edit.remove_license:
        await _remove_license(session, model.id)
    return None


async def delete_model(session: WriteSession, caller: Caller, model_id: UUID) -> None:
    """Take the model out of the repository, with its license; its files go soon after.

    Raises:
        NotFound: no such model, or another tenant's.
        BadRequest: it is deployed.
    """
    model = await ModelCrud(session, caller).get(model_id, for_update=True)
    hold(session)
    if await crud.is_deployed(session, model_id):
        raise BadRequest("Cannot delete model because it has active endpoint.")
    model.status = ModelStatus.DELETED
    await _remove_license(session, model_id)
    await session.flush()
    if model.local_path:
        await delete_files(session, model.local_path)


async def delete_files(session: WriteSession, path: str) -> None:
    """Have budmodel delete the files there, unless a model has them."""
    if await crud.has_files_at(session, path):
        return
    await enqueue_call(session, budmodel.delete_files(path), aggregate=f"model-files:{path}")


async def _replace_papers(session: WriteSession, model: Model, urls: list[str]) -> None:
    for paper in await crud.papers_of(session, model.id):
        if paper.url in urls:
            urls = [url for url in urls if url != paper.url]
        else:
            await session.delete(paper)
    mine = {"tenant_id": model.tenant_id, "model_id": model.id}
    session.add_all(Paper(title=_UNTITLED, url=url, **mine) for url in dict.fromkeys(urls))
    await session.flush()


async def _set_license(session: WriteSession, model: Model, **facts: Any) -> License:
    """Put the license in place of the one before; what is not known of it yet is empty."""
    found = await crud.license_of(session, model.id)
    if found is None:
        found = License(id=uuid7(), tenant_id=model.tenant_id, model_id=model.id)
        session.add(found)
    unknown = dict.fromkeys(("faqs", "license_type", "description", "suitability"))
    for name, value in {**unknown, **facts}.items():
        setattr(found, name, value)
    await session.flush()
    return found


async def _remove_license(session: WriteSession, model_id: UUID) -> None:
    found = await crud.license_of(session, model_id)
    if found is not None:
        await session.delete(found)
        await session.flush()
