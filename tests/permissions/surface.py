from typing import Any

from tests.surface.share import Audited, Share, Things, Valid


def _project_grants(things: Things) -> list[dict[str, Any]]:
    grant = {"name": "endpoint:manage", "has_permission": True}
    return [{"user_id": things["newcomer_id"], "project_id": things["project_id"], "permissions": [grant]}]


share = Share(
    "permission_ops",
    requests={
        "GET /permissions/explain": Valid(query=lambda _: {"method": "GET", "path": "/users/"}),
        "PUT /permissions/{user_id}/global": Valid(lambda t: [{"name": "cluster:manage", "has_permission": True}]),
        "PATCH /permissions/project": Valid(_project_grants),
    },
    audited={
        "PUT /permissions/{user_id}/global": Audited("permission_changed", "permission"),
        "PATCH /permissions/project": Audited("permission_changed", "permission"),
    },
)
