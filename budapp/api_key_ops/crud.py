from typing import Any

from sqlalchemy import ColumnElement, func, select

from budapp.api_key_ops.models import Credential
from budapp.commons.database import ReadSession, WriteSession


def count_in_project(project_id: Any) -> ColumnElement[int]:
    """Return the expression that counts a project's keys."""
    return select(func.count()).select_from(Credential).where(Credential.project_id == project_id).scalar_subquery()


async def exist(session: ReadSession, *conditions: ColumnElement[bool]) -> bool:
    """Tell whether a key meets the conditions."""
    return await session.scalar(select(Credential.id).where(*conditions).limit(1)) is not None


async def remove(session: WriteSession, *conditions: ColumnElement[bool]) -> None:
    """Delete the keys that meet the conditions."""
    for credential in await session.scalars(select(Credential).where(*conditions)):
        await session.delete(credential)
