from fastapi import APIRouter, Request

from budapp.commons.access import internal
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.logging import get_logger
from budapp.events.dispatch import EventHandlers
from budapp.events.inbox import handle_event
from budapp.events.schemas import MalformedEvent, NotificationAnswer, Subscription, parse_event

logger = get_logger(__name__)

router = APIRouter(tags=["events"], include_in_schema=False)


@router.get("/dapr/subscribe", dependencies=[internal])
async def list_subscriptions(request: Request) -> list[Subscription]:
    """Return the topics that the sidecar subscribes to."""
    settings = components_of(request)[Settings]
    return [
        Subscription(
            pubsubname=settings.pubsub_name,
            topic=settings.app_topic,
            route="/notifications",
            deadLetterTopic=settings.dead_letter_topic,
        )
    ]


@router.post("/notifications", dependencies=[internal])
async def receive_event(request: Request) -> NotificationAnswer:
    """Receive an event from the sidecar.

    Processed, ignored and repeated events are a success, and so are those that could not be processed now: they are
    kept and retried here. A malformed event goes to the dead letter topic.
    """
    components = components_of(request)
    try:
        event = parse_event(await request.body())
    except MalformedEvent as error:
        logger.warning("event_malformed", error=str(error))
        return NotificationAnswer(status="DROP", message="The request body is not an event")
    return NotificationAnswer(message=await handle_event(components[Database], components[EventHandlers], event))
