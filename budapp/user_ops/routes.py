from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller, Requires, SignedIn, SignedInAccess
from budapp.commons.database import Read, Write
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.schemas import Answer
from budapp.commons.scopes import Scope, UserRole, UserType
from budapp.integrations.keycloak import KeycloakDep
from budapp.user_ops import services
from budapp.user_ops.callers import CallersDep
from budapp.user_ops.models import UserStatus
from budapp.user_ops.rights import manageable
from budapp.user_ops.schemas import (
    CurrentUser,
    CustomRoleRef,
    UserAnswer,
    UserCreate,
    UserInfo,
    UserList,
    UserQuery,
    UserUpdate,
)

router = APIRouter(prefix="/users", tags=["users"], route_class=IdempotentRoute)

Manager = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE))]
Reader = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE, row=services.get_user))]
Changer = Annotated[Caller, Depends(Requires(Scope.USER_MANAGE, row=manageable))]
SelfOrChanger = Annotated[Caller, Depends(SignedInAccess(row=manageable))]
RemoveCredential = Annotated[bool, Query(description="Delete the user's API keys; without it they block the deletion")]


@router.get("/me")
async def get_current_user(caller: SignedIn) -> CurrentUser:
    """Return the caller."""
    role = caller.custom_role
    user = UserInfo.model_construct(
        id=caller.user_id,
        name=caller.name,
        email=caller.email,
        color=caller.color,
        role=UserRole(caller.role),
        status=UserStatus(caller.status),
        company=caller.company,
        purpose=caller.purpose,
        user_type=UserType(caller.user_type),
        custom_role=CustomRoleRef(id=role.id, name=role.name) if role is not None else None,
    )
    return CurrentUser.model_construct(object="user.me", success=True, message="User found", user=user)


@router.patch("/onboard")
async def complete_onboarding(caller: SignedIn, session: Write) -> UserAnswer:
    """Mark the caller's onboarding as completed."""
    user = await services.complete_onboarding(session, caller)
    return UserAnswer(object="user.onboard", message="Onboarding completed", user=user)


@router.get("/")
async def list_users(caller: Manager, session: Read, query: Annotated[UserQuery, Query()]) -> UserList:
    """List the tenant's users, newest first; deleted ones only with `status=deleted`."""
    return UserList.of(await services.list_users(session, caller, query))


@router.post("/")
async def create_user(data: UserCreate, caller: Manager, session: Write, keycloak: KeycloakDep) -> UserAnswer:
    """Create a user with a temporary password, which they must change."""
    user = await services.create_user(session, keycloak, caller, data)
    return UserAnswer(object="user.create", message="User created", user=user)


@router.get("/{user_id}")
async def get_user(user_id: UUID, caller: Reader, session: Read) -> UserAnswer:
    """Return a user."""
    user = await services.get_user(session, caller, user_id)
    return UserAnswer(object="user.retrieve", message="User found", user=user)


@router.patch("/{user_id}")
async def update_user(
    user_id: UUID, data: UserUpdate, caller: SelfOrChanger, session: Write, keycloak: KeycloakDep, callers: CallersDep
) -> UserAnswer:
    """Update the caller, or with user:manage another user."""
    user = await services.update_user(session, keycloak, callers, caller, user_id, data)
    return UserAnswer(object="user.update", message="User updated", user=user)


@router.delete("/{user_id}")
async def delete_user(
    user_id: UUID,
    caller: Changer,
    session: Write,
    keycloak: KeycloakDep,
    callers: CallersDep,
    remove_credential: RemoveCredential = True,
) -> Answer:
    """Delete a user; all their sessions end within seconds."""
    await services.delete_user(session, keycloak, callers, caller, user_id, remove_credential=remove_credential)
    return Answer(object="user.delete", message="User deleted")


@router.post("/{user_id}/subscribe")
async def subscribe_user(user_id: UUID, caller: Changer, session: Write) -> Answer:
    """Register a user at the notification service, anew if needed; they receive notifications from then on."""
    await services.subscribe_user(session, caller, user_id)
    return Answer(object="user.subscribe", message="User subscribed to notifications")


@router.patch("/{user_id}/reactivate")
async def reactivate_user(
    user_id: UUID, caller: Changer, session: Write, keycloak: KeycloakDep, callers: CallersDep
) -> UserAnswer:
    """Reactivate a deleted user."""
    user = await services.reactivate_user(session, keycloak, callers, caller, user_id)
    return UserAnswer(object="user.reactivate", message="User reactivated", user=user)
