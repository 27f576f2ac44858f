from uuid import UUID

from sqlalchemy import ColumnElement

from budapp.api_key_ops import crud
from budapp.api_key_ops.models import Credential
from budapp.commons.database import WriteSession
from budapp.commons.errors import BadRequest
from budapp.project_ops.hooks import Removal


async def before_project_removal(session: WriteSession, removal: Removal) -> None:
    concerned = [Credential.project_id == removal.project_id]
    if removal.user_ids is not None:
        concerned.append(Credential.user_id.in_(removal.user_ids))
    await _clear(session, *concerned, allowed=removal.remove_credentials)


async def before_user_deletion(session: WriteSession, user_id: UUID, remove_credentials: bool) -> None:
    await _clear(session, Credential.user_id == user_id, allowed=remove_credentials)


async def _clear(session: WriteSession, *concerned: ColumnElement[bool], allowed: bool) -> None:
    if allowed:
        await crud.remove(session, *concerned)
    elif await crud.exist(session, *concerned):
        raise BadRequest(
            "API keys would be deleted too; confirm with remove_credential=true", param="remove_credential"
        )
