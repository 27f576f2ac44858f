from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import text

from budapp.commons.database import Database
from budapp.events import notify
from budapp.events.relay import Relay
from tests.cast import Cast
from tests.events.sidecar import Sidecar
from tests.projects.data import create

USER, WORKFLOW = uuid4(), uuid4()


async def delivered(database: Database, sidecar: Sidecar) -> list[tuple[str, str, Any]]:
    await Relay(database, sidecar.dapr).drain()
    return [(call.method, call.path, call.body) for call in sidecar.peer.calls]


async def test_users_are_shown_a_notification(
    client: httpx.AsyncClient, cast: Cast, database: Database, sidecar: Sidecar
) -> None:
    user, project = cast.manager.id, UUID((await create(client, cast.manager))["id"])
    async with database.write() as session:
        await notify.notify_users(
            session,
            aggregate=f"project:{project}",
            subscriber_ids=[user, user],
            type="project_invitation_success",
            title="Apollo",
            message="You were invited",
            target=("project", project),
            workflow_id=WORKFLOW,
        )

    ((method, path, body),) = await delivered(database, sidecar)
    assert (method, path) == ("POST", "notifications")
    assert datetime.fromisoformat(body.pop("time")).tzinfo
    assert body == {
        "notification_type": "event",
        "name": "bud-notification",
        "subscriber_ids": [str(user)],
        "debug": False,
        "payload": {
            "category": "inapp",
            "type": "project_invitation_success",
            "workflow_id": str(WORKFLOW),
            "source": "budAppMessages",
            "content": {
                "title": "Apollo",
                "message": "You were invited",
                "status": "COMPLETED",
                "result": {"target_type": "project", "target_id": str(project)},
            },
        },
    }


async def test_nobody_is_told_nothing(database: Database, sidecar: Sidecar) -> None:
    async with database.write() as session:
        await notify.notify_users(
            session, aggregate="a", subscriber_ids=[], type="t", title="Apollo", message="You were invited"
        )

    assert await delivered(database, sidecar) == []


async def test_an_invited_user_is_known_before_the_mail_goes_out(database: Database, sidecar: Sidecar) -> None:
    content = {"user": {"name": "Ann", "password": "Tr0ub4dor", "is_budserve_user": False}}
    async with database.write() as session:
        await notify.create_subscriber(session, USER, "ann@example.com", "Ann")
        await notify.send_mail(session, name="bud-project-invite", user_id=USER, content=content)
    async with database.read() as reading:
        rows = (await reading.execute(text("select outbox_message::text from outbox_message"))).scalars().all()

    assert not any("Tr0ub4dor" in row for row in rows)
    created, mailed = await delivered(database, sidecar)
    assert created == (
        "POST",
        "subscribers",
        {"subscriber_id": str(USER), "email": "ann@example.com", "first_name": "Ann"},
    )
    assert mailed[1] == "notifications"
    assert mailed[2]["name"] == "bud-project-invite"
    assert mailed[2]["subscriber_ids"] == str(USER)
    assert mailed[2]["payload"] == {"category": "internal", "source": "budAppMessages", "content": content}


async def test_what_changes_about_a_user_is_told_in_order(database: Database, sidecar: Sidecar) -> None:
    async with database.write() as session:
        await notify.update_subscriber(session, USER, name="Anna")
        await notify.delete_subscriber(session, USER)

    assert await delivered(database, sidecar) == [
        ("PUT", f"subscribers/{USER}", {"first_name": "Anna"}),
        ("DELETE", f"subscribers/{USER}", None),
    ]
