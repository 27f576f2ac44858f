"""Projects, and who takes part in them."""

from budapp.commons.scopes import PROJECT_SCOPES, Scope
from budapp.legacy_ops.declarations import OLDEST, Move, Old, Ref, marks
from budapp.legacy_ops.tables.people import join_tenant, scopes_in
from budapp.project_ops.models import Project, ProjectMember

PAIR = "md5(t.project_id::text || t.user_id::text)::uuid"
"""What stands for the id of a row that has none."""

_JOIN_SCOPES = (
    "left join (select p.project_id, p.user_id, string_agg(p.scopes, ',' order by p.created_at) as scopes,"
    " min(p.created_at) as created_at from public.project_permission p group by p.project_id, p.user_id) given"
    " on given.project_id = t.project_id and given.user_id = t.user_id"
)


def _scopes(old: Old) -> list[str]:
    """Return what a member may do: in their own project all, else what Keycloak says, or the old table without it."""
    project, user = old.ref("project_id"), old.ref("user_id")
    if project is not None and user is not None and project["created_by"] == user["id"]:
        return list(PROJECT_SCOPES)
    rights = old.context.rights.get(old["realm"])
    if rights is not None and user is not None:
        return sorted(rights.members.get((str(old["project_id"]), user["auth_id"]), ()))
    given = [scope for scope in scopes_in(old["scopes"] or "") if scope in PROJECT_SCOPES]
    return given or [Scope.ENDPOINT_VIEW]


MOVES = (
    Move(
        "project",
        Project,
        order=OLDEST,
        refs={"created_by": Ref("user")},
        tenant="created_by",
        columns={"tags": marks("tags")},
    ),
    Move(
        "project_user_association",
        ProjectMember,
        refs={"project_id": Ref("project", ("created_by",)), "user_id": Ref("user", ("auth_id",))},
        tenant="project_id",
        extra={
            "id": PAIR,
            "scopes": "given.scopes",
            "created_at": "given.created_at",
            "realm": "home.realm_name",
        },
        joins=f"{join_tenant('t.user_id')} {_JOIN_SCOPES}",
        columns={"scopes": _scopes},
        natural=("project_id", "user_id"),
        key=("project_id", "user_id"),
    ),
    Move(
        "project_permission",
        ProjectMember,
        refs={"member_id": Ref("project_user_association")},
        extra={"member_id": PAIR},
        into="member_id",
    ),
)
