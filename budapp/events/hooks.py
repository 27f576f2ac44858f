"""What other domains do with what people are told."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from budapp.commons.database import WriteSession
from budapp.commons.hooks import Hook

Target = Literal["model", "cluster", "endpoint", "project", "guardrail", "workflow", "user"]


@dataclass(frozen=True, slots=True)
class Message:
    """What people are told.

    Attributes:
        type: what happened, such as `project_invitation_success`.
        title: usually the name of what it is about.
        message: what happened, for a person.
        status: the outcome.
        target: what a click on it opens.
        workflow_id: the workflow that it came of.
        project_id: the project that it is about, or that what it is about lies in.
        icon: what stands beside it.
        tag: a short mark beside the title.
    """

    type: str
    title: str
    message: str
    status: str = "COMPLETED"
    target: tuple[Target, UUID] | None = None
    workflow_id: UUID | None = None
    project_id: UUID | None = None
    icon: str | None = None
    tag: str | None = None


before_message = Hook[Callable[[WriteSession, Message, Collection[UUID]], Awaitable[Collection[UUID]]]](
    "before people are told", single=True
)
"""Called in the unit of work that tells them; returns those of them who are shown the message in the application."""
