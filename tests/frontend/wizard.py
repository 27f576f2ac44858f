"""The drawers of budadmin: a step is sent, the workflow is read again, and the socket alone ends the waiting."""

import time

from tests.frontend.window import Json, Refused, Window
from tests.peers.notification_centre import SECONDS

ENDED = {"COMPLETED", "FAILED"}
ADVANCE_SECONDS = 3
"""How long the screen still shows that all is done: the socket may be faster than the event that budapp gets, and
brings what was sent at the same moment in any order."""


class Wizard:
    """A drawer that a window has opened for one workflow.

    Attributes:
        steps: what was entered so far, as budapp keeps it: the drawer shows nothing else.
    """

    def __init__(self, window: Window, path: str, project_id: str | None = None) -> None:
        self.window = window
        self.path = path
        self.project_id = project_id
        self.workflow_id: str | None = None
        self.steps: Json = {}

    async def step(self, number: int, **fields: object) -> None:
        """Send a step, and read the workflow again."""
        body = {"step_number": number, "trigger_workflow": False} | fields
        if self.workflow_id is not None:
            body["workflow_id"] = self.workflow_id
        answer = await self.window.post(self.path, body, project_id=self.project_id)
        await self.read(str(answer["workflow_id"]))

    async def read(self, workflow_id: str) -> None:
        """Have the drawer show the workflow."""
        self.workflow_id = workflow_id
        self.steps = (await self.window.get(f"/workflows/{workflow_id}"))["workflow_steps"]

    async def finishes(self, events: str, kind: str | None) -> Json:
        """Watch the screen of progress until the socket says that it is over; return the statuses of its steps.

        Args:
            events: the field of the workflow with the steps.
            kind: the type of the notifications that tick them off; None where budadmin expects another one than comes.

        Raises:
            Refused: something failed.
        """
        shown = self.steps[events]
        payloads = {step["id"]: step.get("payload") or {} for step in shown["steps"]}
        ends = None
        while True:
            try:
                heard = await self.window.hears(SECONDS if ends is None else max(ends - time.monotonic(), 0))
            except TimeoutError:
                if ends is not None:
                    return {name: _status(payload) for name, payload in payloads.items()}
                raise AssertionError(f"the drawer waits for ever: {await self._state()}") from None
            if heard.get("workflow_id") not in {None, self.workflow_id, shown.get("workflow_id")}:
                continue
            content = heard["content"]
            ticks = heard["type"] == kind and heard["category"] == "internal" and heard.get("event") in payloads
            if ticks and _status(payloads[heard["event"]]) not in ENDED:
                payloads[heard["event"]] = heard
            if ends is None and content.get("status") == "FAILED":
                raise Refused(content.get("message") or content.get("title"))
            if heard.get("event") == "results" and content.get("status") == "COMPLETED":
                ends = time.monotonic() + ADVANCE_SECONDS

    async def _state(self) -> Json:
        """Return what budapp knows, which the drawer does not ask for."""
        return await self.window.get(f"/workflows/{self.workflow_id}")


def _status(payload: Json) -> str | None:
    status: str | None = (payload.get("content") or {}).get("status")
    return status
