"""No tenant is ever left without an administrator.

An administrator is an active person of type `admin` whose role is `admin` or `super_admin`, who has no custom role and
from whom nothing was withdrawn: somebody who can give back whatever was taken away. People who are invited only, or
hold `user:manage` by a grant or a custom role, don't count.
"""

from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest
from budapp.commons.scopes import UserRole, UserType
from budapp.tenant_ops.services import lock_tenant
from budapp.user_ops import crud
from budapp.user_ops.models import User, UserStatus

RANKS = (UserRole.SUPER_ADMIN, UserRole.ADMIN)


async def rank_of(session: ReadSession, user: User) -> str | None:
    """Return `super_admin` or `admin` for an administrator, None for everyone else."""
    administers = (
        user.status == UserStatus.ACTIVE
        and user.user_type == UserType.ADMIN
        and user.role in RANKS
        and user.custom_role is None
    )
    if administers and user.role != UserRole.SUPER_ADMIN and await crud.has_withdrawn(session, user.id):
        return None
    return user.role if administers else None


async def keep_an_administrator(session: WriteSession, user: User, rank_before: str | None) -> None:
    """Refuse a change to the locked user that takes the tenant its last administrator, or last super administrator.

    The tenant's row is locked for it until the commit, so of two such changes the second one sees the first.

    Raises:
        BadRequest: nobody of that rank would remain.
    """
    if rank_before is None:
        return
    await session.flush()
    rank = await rank_of(session, user)
    if rank == rank_before:
        return
    await lock_tenant(session, user.tenant_id)
    others = await ranks_besides(session, user)
    if rank_before == UserRole.SUPER_ADMIN and UserRole.SUPER_ADMIN not in others:
        raise BadRequest("This is the last super administrator; appoint another one first")
    if rank is None and not others:
        raise BadRequest("This is the last administrator; appoint another one first")


async def ranks_besides(session: ReadSession, user: User) -> set[str]:
    """Return the ranks of the tenant's other administrators; empty where there are none."""
    return await crud.ranks_besides(session, user, RANKS)
