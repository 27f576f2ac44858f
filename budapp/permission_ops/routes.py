from fastapi import APIRouter

from budapp.commons.access import SignedIn
from budapp.commons.database import Read
from budapp.permission_ops import services
from budapp.permission_ops.schemas import MyPermissions

router = APIRouter(tags=["permissions"])


@router.get("/users/me/permissions")
async def get_my_permissions(caller: SignedIn, session: Read) -> MyPermissions:
    """Return what the caller may do, in the tenant and in each project."""
    return MyPermissions(permissions=await services.permissions_of(session, caller))
