from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from budapp.auth.password_resets import PasswordResetsDep
from budapp.commons.access import Caller, Requires
from budapp.commons.database import Write
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.scopes import Scope
from budapp.user_ops.rights import manageable
from budapp.user_ops.schemas import UserAnswer, UserInfo, UserInvite

router = APIRouter(prefix="/users", tags=["users"], route_class=IdempotentRoute)

Manager = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE))]
ManagerOf = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE, row=manageable))]


@router.post("/invitations")
async def invite_user(data: UserInvite, caller: Manager, session: Write, resets: PasswordResetsDep) -> UserAnswer:
    """Create a user and e-mail them a link to set a password; it works once, for three days."""
    user = await resets.invite(session, caller, data)
    return UserAnswer(object="user.invite", message="Invitation sent", user=UserInfo.model_validate(user))


@router.post("/{user_id}/invitation")
async def invite_user_again(user_id: UUID, caller: ManagerOf, session: Write, resets: PasswordResetsDep) -> UserAnswer:
    """E-mail a new link to a user who has not set a password yet; the earlier link stops working."""
    user = await resets.invite_again(session, caller, user_id)
    return UserAnswer(object="user.invite", message="Invitation sent", user=UserInfo.model_validate(user))
