from typing import Literal

from budapp.commons.schemas import Answer, Schema


class PermissionEntry(Schema):
    """What is allowed on one resource.

    `rsname` is `module_<module>` for a module of the tenant, `URN::project::<id>` for a project, and for the
    frontend's check of one right on a project also the right itself, such as `endpoint:manage`.
    """

    rsid: str
    rsname: str
    scopes: list[str]


class MyPermissions(Answer):
    object: Literal["user.permissions"] = "user.permissions"
    message: str = "Permissions found"
    permissions: list[PermissionEntry]
