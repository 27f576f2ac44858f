"""Tell people something, through the outbox: each function leaves one message in the caller's unit of work."""

from collections.abc import Collection, Iterable
from typing import Any, Literal
from uuid import UUID

from budapp.commons.database import WriteSession
from budapp.commons.hooks import hooks_of
from budapp.events.hooks import Message, Target, before_message
from budapp.events.outbox import enqueue_call
from budapp.integrations import budnotify
from budapp.integrations.budnotify import Content, NotificationRequest, Payload

MailName = Literal["bud-project-invite", "bud-reset-password"]

__all__ = [
    "Target",
    "create_subscriber",
    "delete_subscriber",
    "notify_users",
    "send_mail",
    "send_text",
    "show_event",
    "update_subscriber",
    "user_aggregate",
]


def user_aggregate(user_id: UUID) -> str:
    """Return the aggregate of all that budnotify hears about a user, so that they are known before they get mail."""
    return f"user:{user_id}"


async def notify_users(
    session: WriteSession,
    *,
    aggregate: str,
    subscriber_ids: Iterable[UUID],
    type: str,
    title: str,
    message: str,
    target: tuple[Target, UUID] | None = None,
    workflow_id: UUID | None = None,
    project_id: UUID | None = None,
    status: str = "COMPLETED",
    icon: str | None = None,
    tag: str | None = None,
) -> None:
    """Tell the users something in the application, and by mail where they want it so.

    Only those are told who may see what it is about, now.

    Args:
        session: the caller's unit of work.
        aggregate: what the notification is about, such as `project:<id>`.
        subscriber_ids: the users; nothing is sent where there are none.
        type: what happened, such as `project_invitation_success`; the browser acts on it.
        title: usually the name of what it is about.
        message: what happened, for a person.
        target: what a click on the notification opens.
        workflow_id: the workflow that it came of.
        project_id: the project in which lies what it is about; that of the target where the target is one.
        status: the outcome.
        icon: what stands beside it.
        tag: a short mark beside the title.
    """
    if project_id is None and target is not None and target[0] == "project":
        project_id = target[1]
    told = Message(type, title, message, status, target, workflow_id, project_id, icon, tag)
    recipients: Collection[UUID] = set(subscriber_ids)
    for keep in hooks_of(session).all(before_message):
        recipients = await keep(session, told, recipients)
    if recipients:
        await _show(session, aggregate, recipients, told)


async def _show(session: WriteSession, aggregate: str, recipients: Collection[UUID], told: Message) -> None:
    result = {"target_type": told.target[0], "target_id": str(told.target[1])} if told.target else None
    texts = {name: getattr(told, name) for name in ("title", "message", "status", "icon", "tag")}
    workflow_id = str(told.workflow_id) if told.workflow_id else None
    content = Content(**texts, result=result)
    payload = Payload(category="inapp", type=told.type, workflow_id=workflow_id, content=content)
    ids = sorted(str(user_id) for user_id in recipients)
    request = NotificationRequest(name="bud-notification", subscriber_ids=ids, payload=payload)
    await enqueue_call(session, budnotify.send_notification(request), aggregate=aggregate)


async def show_event(session: WriteSession, *, aggregate: str, user_id: UUID, payload: dict[str, Any]) -> None:
    """Have the user's open screens take an event of a workflow, as if the service had told them itself."""
    fields = dict(payload.get("content") or {})
    fields.pop("result_error", None)
    if not isinstance(fields.get("result"), dict):
        fields["result"] = None
    content = Content.model_validate(fields)
    event = {name: payload.get(name) for name in ("type", "event", "workflow_id")}
    shown = Payload(category="internal", content=content, **event)
    request = NotificationRequest(name="bud-internal", subscriber_ids=str(user_id), payload=shown)
    await enqueue_call(session, budnotify.send_notification(request), aggregate=aggregate)


async def send_mail(session: WriteSession, *, name: MailName, user_id: UUID, content: dict[str, Any]) -> None:
    """Send a user one of the templates by mail; the content is encrypted until it leaves, as it may hold a password.

    Args:
        session: the caller's unit of work.
        name: the template.
        user_id: who gets it.
        content: what the template names; `reset_url`, `token`, `expires_in_minutes` and `user_name` for a reset,
            `user` (`name`, `password`, `is_budserve_user`) and `project` (`name`, `description`, `url`) for an invite.
    """
    payload = Payload(category="internal", content=Content.model_validate(content))
    request = NotificationRequest(name=name, subscriber_ids=str(user_id), payload=payload)
    await enqueue_call(session, budnotify.send_notification(request), aggregate=user_aggregate(user_id), secret=True)


async def send_text(session: WriteSession, *, user_id: UUID, subject: str, text: str) -> None:
    """Send a user a mail whose words are ours; budnotify adds nothing to them."""
    payload = Payload(category="internal", content=Content(title=subject, message=text))
    request = NotificationRequest(name="bud-notification-mail", subscriber_ids=str(user_id), payload=payload)
    await enqueue_call(session, budnotify.send_notification(request), aggregate=user_aggregate(user_id))


async def create_subscriber(session: WriteSession, user_id: UUID, email: str, name: str) -> None:
    """Let budnotify know the user."""
    request = budnotify.SubscriberRequest(subscriber_id=str(user_id), email=email, first_name=name)
    await enqueue_call(session, budnotify.create_subscriber(request), aggregate=user_aggregate(user_id))


async def update_subscriber(
    session: WriteSession, user_id: UUID, *, email: str | None = None, name: str | None = None
) -> None:
    """Let budnotify know what has changed about the user."""
    request = budnotify.SubscriberUpdateRequest(email=email, first_name=name)
    await enqueue_call(session, budnotify.update_subscriber(str(user_id), request), aggregate=user_aggregate(user_id))


async def delete_subscriber(session: WriteSession, user_id: UUID) -> None:
    """Let budnotify forget the user."""
    await enqueue_call(session, budnotify.delete_subscriber(str(user_id)), aggregate=user_aggregate(user_id))
