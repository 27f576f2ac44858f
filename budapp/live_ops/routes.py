from typing import Annotated

from fastapi import APIRouter, Header, Query
from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from budapp.commons.access import Active
from budapp.live_ops import services
from budapp.live_ops.schemas import EventQuery
from budapp.live_ops.services import HubDep, Sending

router = APIRouter(prefix="/events", tags=["events"])

SEND_SECONDS = 60
"""How long a client may take nothing before it is let go."""


class EventStream(EventSourceResponse):
    """The answer; what is sent comes in ready made, heartbeats too."""

    def __init__(self, sending: Sending) -> None:
        super().__init__(sending.frames(), ping=0, send_timeout=SEND_SECONDS)
        self._sending = sending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; a client that takes nothing is no failure of ours."""
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            return
        finally:
            self._sending.close()


@router.get(
    "",
    response_class=EventSourceResponse,
    responses={200: {"description": "Server-sent events", "content": {"text/event-stream": {}}}},
)
async def stream_events(
    caller: Active,
    hub: HubDep,
    query: Annotated[EventQuery, Query()],
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
) -> EventStream:
    """Stream what happens to all that the caller may read, as server-sent events.

    `Last-Event-ID` goes on behind that event, without gap or repetition, on any replica, within an hour; after that the
    first event is `reset`: read anew what is shown, and go on. Before the token expires the event `token` asks to come
    again with another one; `end` says why the stream ends.
    """
    return EventStream(await services.open_stream(hub, caller, query, last_event_id))
