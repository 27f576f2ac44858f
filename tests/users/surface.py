from uuid_utils.compat import uuid7

from budapp.commons.scopes import UserRole, UserType
from budapp.project_ops.schemas import MEMBER_SCOPES
from budapp.user_ops.models import User, UserPermission, UserStatus
from tests.cast import PASSWORD, Account, Role, user_row
from tests.surface.share import Audited, RequestContext, SeedContext, Share, Things, Valid

_ACTIVE = Role(0, UserRole.DEVELOPER, UserType.ADMIN)
_GUEST = Role(0, UserRole.DEVELOPER, UserType.ADMIN, UserStatus.INVITED)
_DELETED = Role(0, UserRole.DEVELOPER, UserType.ADMIN, UserStatus.DELETED)


async def _seed(context: SeedContext) -> Things:
    """Put in somebody whom requests may change (`user_id`), somebody deleted, and somebody who is in no project."""
    extras, realm = context.extras, context.realm
    people = {
        "user_id": ("throw-away", extras.throw_away[realm], _ACTIVE),
        "deleted_user_id": ("deleted", extras.deleted[realm], _DELETED),
        "newcomer_id": ("newcomer", Account(str(uuid7()), "newcomer@example.com", {}), _ACTIVE),
        "visitor_id": ("visitor", extras.visitor[realm], _ACTIVE),
        "guest_id": ("guest", Account(str(uuid7()), "guest@example.com", {}), _GUEST),
    }
    rows = {thing: user_row(context.tenant_id, *person) for thing, person in people.items()}
    user = rows["user_id"]
    await context.add(
        *rows.values(), UserPermission(tenant_id=context.tenant_id, user_id=user.id, scope="benchmark:view")
    )
    context.members.append((user.id, MEMBER_SCOPES[:1]))
    return {thing: str(row.id) for thing, row in rows.items()}


async def _before_onboarding(context: RequestContext) -> None:
    if context.person is None:
        return
    async with context.database.write() as session:
        user = await session.get_one(User, context.person.id)
        user.first_login = True


def new_user(things: Things) -> dict[str, str]:
    """Return what makes an account that there is not yet."""
    return {"name": "New", "email": f"{things['fresh']}@example.com", "password": PASSWORD}


share = Share(
    "user_ops",
    seed=_seed,
    requests={
        "PATCH /users/onboard": Valid(prepare=_before_onboarding),
        "POST /users/": Valid(lambda t: new_user(t) | {"role": "developer", "user_type": "admin"}),
        "PATCH /users/{user_id}": Valid(lambda t: {"name": "Renamed", "role": "tester"}),
        "PATCH /users/{user_id}/reactivate": Valid(path={"user_id": "deleted_user_id"}),
    },
    audited={
        "PATCH /users/onboard": Audited("update", "user"),
        "POST /users/": Audited("create", "user"),
        "PATCH /users/{user_id}": Audited("update", "user"),
        "DELETE /users/{user_id}": Audited("update", "user"),
        "PATCH /users/{user_id}/reactivate": Audited("update", "user"),
        "POST /users/{user_id}/subscribe": Audited("update", "user"),
    },
)
