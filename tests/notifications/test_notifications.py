"""What people are told: kept, shown the unread first, mailed to who wants that, and never about what is not theirs."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from budapp.commons.database import Database, now
from budapp.events.notify import notify_users
from budapp.notification_ops.models import Notification
from budapp.notification_ops.services import KEEP, purge_notifications
from budapp.notification_ops.texts import TEMPLATES
from tests.cast import Cast, Person
from tests.projects.data import add, add_user, create, join, messages
from tests.statements import Statements


async def tell(database: Database, *people: Person, **message: Any) -> None:
    """Tell the people something, as any domain does."""
    said = {"type": "deployment_success", "title": "chat", "message": "Deployment is Done", **message}
    async with database.write() as session:
        await notify_users(session, aggregate="test", subscriber_ids=[person.id for person in people], **said)


async def told(client: httpx.AsyncClient, person: Person, **query: Any) -> list[dict[str, Any]]:
    answer = await client.get("/notifications", params=query, headers=person.headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["notifications"]
    return found


async def unread(client: httpx.AsyncClient, person: Person) -> int:
    count: int = (await client.get("/notifications/unread-count", headers=person.headers)).json()["unread"]
    return count


async def mark(client: httpx.AsyncClient, person: Person, notification: dict[str, Any]) -> httpx.Response:
    return await client.post(f"/notifications/{notification['id']}/read", headers=person.headers)


async def prefer(client: httpx.AsyncClient, person: Person, *preferences: dict[str, Any]) -> httpx.Response:
    body = {"preferences": preferences}
    return await client.put("/notifications/preferences", json=body, headers=person.headers)


async def sent_to(database: Database, name: str = "bud-notification") -> list[list[str]]:
    """Return whom the messages of this name in the outbox are for."""
    return [payload["subscriber_ids"] for _, payload in await messages(database) if payload["name"] == name]


async def test_what_somebody_is_told_is_kept_for_them(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    workflow_id = uuid4()
    await tell(database, cast.developer, workflow_id=workflow_id, icon="i.png", tag="scan", status="FAILED")

    (found,) = await told(client, cast.developer)
    assert found.pop("id")
    assert found.pop("created_at")
    assert found == {
        "type": "deployment_success",
        "title": "chat",
        "message": "Deployment is Done",
        "status": "FAILED",
        "icon": "i.png",
        "tag": "scan",
        "target_type": None,
        "target_id": None,
        "workflow_id": str(workflow_id),
        "project_id": None,
        "is_read": False,
        "read_at": None,
    }
    assert await told(client, cast.manager) == []
    assert await sent_to(database) == [[str(cast.developer.id)]]


async def test_the_unread_ones_come_first_then_the_newest(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    for title in ("one", "two", "three", "four"):
        await tell(database, cast.developer, title=title)
    four = (await told(client, cast.developer))[0]
    assert (await mark(client, cast.developer, four)).json()["read"] == 1
    assert (await mark(client, cast.developer, four)).json()["read"] == 0

    assert [each["title"] for each in await told(client, cast.developer)] == ["three", "two", "one", "four"]
    assert [each["title"] for each in await told(client, cast.developer, is_read=True)] == ["four"]
    assert [each["title"] for each in await told(client, cast.developer, is_read=False)] == ["three", "two", "one"]
    assert await unread(client, cast.developer) == 3


async def test_a_cursor_goes_through_all_of_them_once(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    for number in range(5):
        await tell(database, cast.developer, title=str(number))
    await mark(client, cast.developer, (await told(client, cast.developer))[0])

    titles: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query: dict[str, Any] = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await client.get("/notifications", params=query, headers=cast.developer.headers)).json()
        titles += [each["title"] for each in page["notifications"]]
        cursor = page["next_cursor"]
    assert titles == ["3", "2", "1", "0", "4"]


async def test_all_are_marked_at_once_and_nobody_elses(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    await tell(database, cast.developer, cast.manager)
    await tell(database, cast.developer)

    answer = await client.post("/notifications/read-all", headers=cast.developer.headers)
    assert answer.json()["read"] == 2
    assert await unread(client, cast.developer) == 0
    assert await unread(client, cast.manager) == 1
    assert all(each["is_read"] and each["read_at"] for each in await told(client, cast.developer))


async def test_filters(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    project = await create(client, cast.manager)
    await tell(database, cast.manager, title="here", target=("project", UUID(project["id"])))
    await tell(database, cast.manager, type="model_scan_success", title="scan")

    assert [each["title"] for each in await told(client, cast.manager, project_id=project["id"])] == ["here"]
    assert [each["title"] for each in await told(client, cast.manager, type="model_scan_success")] == ["scan"]
    assert await told(client, cast.manager, type="deployment_failed") == []


async def test_who_may_not_see_what_it_is_about_is_told_nothing(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    project = await create(client, cast.manager)
    await join(database, project["id"], cast.developer, scopes=("endpoint:view",))
    await join(database, project["id"], cast.tester, scopes=("project:view",))
    everyone = (cast.manager, cast.developer, cast.tester, cast.client, cast.other_admin, cast.invited)
    await tell(database, *everyone, target=("endpoint", uuid4()), project_id=UUID(project["id"]))
    await tell(database, *everyone, type="cluster_error", target=("cluster", uuid4()))

    async def types(person: Person) -> list[str]:
        return sorted(each["type"] for each in await told(client, person))

    assert await types(cast.manager) == ["cluster_error", "deployment_success"]
    assert await types(cast.developer) == ["cluster_error", "deployment_success"]
    assert await types(cast.tester) == []
    assert await types(cast.client) == []
    members, of_clusters = await sent_to(database)
    assert set(members) == {str(cast.manager.id), str(cast.developer.id)}
    assert set(of_clusters).isdisjoint({str(cast.tester.id), str(cast.client.id)})


async def test_whoever_is_deleted_is_told_nothing(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    gone = await add_user(database, cast.tenant_id, "gone", status="deleted")
    await tell(database, gone, cast.developer)
    assert await sent_to(database) == [[str(cast.developer.id)]]


async def test_leaving_a_project_ends_its_messages(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    project = await create(client, cast.manager)
    await join(database, project["id"], cast.developer)
    about = {"target": ("endpoint", uuid4()), "project_id": UUID(project["id"])}
    await tell(database, cast.developer, target=("project", UUID(project["id"])))
    await tell(database, cast.developer, **about)
    (kept, _) = await told(client, cast.developer)

    leaving = {"user_ids": [str(cast.developer.id)]}
    answer = await client.post(f"/projects/{project['id']}/remove-users", json=leaving, headers=cast.manager.headers)
    assert answer.status_code == 200, answer.text
    already_sent = len(await sent_to(database))
    await tell(database, cast.developer, **about)

    assert await told(client, cast.developer) == []
    assert await unread(client, cast.developer) == 0
    assert (await mark(client, cast.developer, kept)).status_code == 404
    assert (await client.post("/notifications/read-all", headers=cast.developer.headers)).json()["read"] == 0
    assert len(await sent_to(database)) == already_sent


async def test_another_tenants_notification_is_not_found(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    await tell(database, cast.developer)
    (found,) = await told(client, cast.developer)
    for person in (cast.other_admin, cast.manager, cast.admin):
        assert (await mark(client, person, found)).status_code == 404


async def test_people_say_how_they_are_told(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    answer = await prefer(
        client,
        cast.developer,
        {"type": "deployment_success", "in_app": False, "mail": True},
        {"type": "model_scan_success", "mail": True},
    )
    assert answer.status_code == 200, answer.text
    await prefer(client, cast.manager, {"type": "deployment_success", "mail": False})
    await tell(database, cast.developer, cast.manager)
    await tell(database, cast.developer, type="model_scan_success", title="llama")

    assert [each["title"] for each in await told(client, cast.developer)] == ["llama"]
    assert await sent_to(database) == [[str(cast.manager.id)], [str(cast.developer.id)]]
    mails = [payload for _, payload in await messages(database) if payload["name"] == "bud-notification-mail"]
    assert [mail["subscriber_ids"] for mail in mails] == [str(cast.developer.id)] * 2
    assert [mail["payload"]["content"]["title"] for mail in mails] == [
        "Deployment is Done: chat",
        "Model scanned: llama",
    ]
    assert mails[1]["payload"]["content"]["message"].startswith("The security scan of llama is done")


async def test_preferences_are_listed_for_every_known_type(client: httpx.AsyncClient, cast: Cast) -> None:
    await prefer(client, cast.developer, {"type": "deployment_success", "mail": True})
    answer = await prefer(client, cast.developer, {"type": "evaluation_failed", "in_app": False})
    listed = {each["type"]: (each["in_app"], each["mail"]) for each in answer.json()["preferences"]}
    assert listed.keys() == {*TEMPLATES, "evaluation_failed"}
    assert listed["deployment_success"] == (True, True)
    assert listed["evaluation_failed"] == (False, False)
    assert listed["model_scan_success"] == (True, False)
    others = (await client.get("/notifications/preferences", headers=cast.manager.headers)).json()["preferences"]
    assert {(each["in_app"], each["mail"]) for each in others} == {(True, False)}


@pytest.mark.parametrize(
    "preferences",
    [
        [],
        [{"type": "Deployment"}],
        [{"type": ""}],
        [{"type": "a"}, {"type": "a"}],
        [{"type": f"t{number}"} for number in range(201)],
    ],
)
async def test_preferences_that_make_no_sense_are_refused(
    client: httpx.AsyncClient, cast: Cast, preferences: list[dict[str, Any]]
) -> None:
    assert (await prefer(client, cast.developer, *preferences)).status_code == 422


async def test_there_is_an_end_to_what_one_person_can_set(client: httpx.AsyncClient, cast: Cast) -> None:
    many = [{"type": f"t{number}"} for number in range(200)]
    assert (await prefer(client, cast.developer, *many)).status_code == 200
    refused = await prefer(client, cast.developer, {"type": "one_more"})
    assert (refused.status_code, refused.json()["param"]) == (422, "preferences")


async def test_a_mail_is_never_more_than_its_template(
    client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    await prefer(client, cast.developer, {"type": "cluster_error", "mail": True}, {"type": "new_failed", "mail": True})
    await tell(database, cast.developer, type="cluster_error", title="a\nBcc: {message}", message="{title.__class__}")
    await tell(database, cast.developer, type="new_failed", title="llama", message="No disk", status="FAILED")
    contents = [
        payload["payload"]["content"]
        for _, payload in await messages(database)
        if payload["name"] == "bud-notification-mail"
    ]
    assert contents[0]["title"] == "Cluster in trouble: a Bcc: {message}"
    assert "{title.__class__}" in contents[0]["message"]
    assert contents[1]["title"] == "Failed: llama"
    assert contents[1]["message"].startswith("llama has failed: No disk")


async def test_old_ones_are_deleted(client: httpx.AsyncClient, cast: Cast, database: Database) -> None:
    owner = {"tenant_id": cast.tenant_id, "user_id": cast.developer.id}
    said = {"type": "t", "message": "m", "status": "COMPLETED"}
    old = Notification(**owner, **said, title="old", created_at=now() - KEEP - timedelta(minutes=1))
    await add(database, old, Notification(**owner, **said, title="new", created_at=now() - KEEP + timedelta(minutes=1)))
    await purge_notifications(database)
    assert [each["title"] for each in await told(client, cast.developer)] == ["new"]


async def test_a_page_and_a_count_cost_two_statements_each(
    client: httpx.AsyncClient, cast: Cast, database: Database, statements: Statements
) -> None:
    await tell(database, cast.developer)
    await told(client, cast.developer)
    statements.clear()
    await told(client, cast.developer)
    await unread(client, cast.developer)
    assert len(statements) == 2
