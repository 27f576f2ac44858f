from uuid import UUID

from sqlalchemy import ColumnElement

from budapp.commons.database import WriteSession
from budapp.commons.errors import BadRequest
from budapp.credential_ops import crud
from budapp.credential_ops.models import Credential
from budapp.project_ops import contents as project_contents
from budapp.user_ops import contents as user_contents


def register_project_content() -> None:
    """Make known to the domains below what keys mean for projects and users; for the start of the service."""
    project_contents.register(project_contents.Content("credentials", crud.count_in_project, _before_removal))
    user_contents.register("credentials", _before_user_removal)


async def _before_removal(session: WriteSession, removal: project_contents.Removal) -> None:
    concerned = [Credential.project_id == removal.project_id]
    if removal.user_ids is not None:
        concerned.append(Credential.user_id.in_(removal.user_ids))
    await _clear(session, *concerned, allowed=removal.remove_credentials)


async def _before_user_removal(session: WriteSession, user_id: UUID, remove_credentials: bool) -> None:
    await _clear(session, Credential.user_id == user_id, allowed=remove_credentials)


async def _clear(session: WriteSession, *concerned: ColumnElement[bool], allowed: bool) -> None:
    if allowed:
        await crud.remove(session, *concerned)
    elif await crud.exist(session, *concerned):
        raise BadRequest(
            "There are keys that would have to go too; allow that with remove_credential", param="remove_credential"
        )
