"""What a stand-in can be told to do wrong."""

from contextvars import ContextVar
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

TOLD_TO_FAIL = "The stand-in was told to fail"


class Fault(BaseModel):
    """Something to do wrong: in the answer to a request, or in the work that the request starts."""

    model_config = ConfigDict(extra="forbid")

    contains: str = Field(
        default="", description="Only for requests with this text in path, query, body or x-request-id"
    )
    times: int | None = Field(default=None, ge=1, description="How many requests meet it; all, where it is not given")

    delay_seconds: float = Field(default=0, ge=0, le=600, description="How long the request waits")
    status: int | None = Field(
        default=None, ge=200, le=599, description="Answer this status with an error object, 200 with one too"
    )
    answer: dict[str, Any] | None = Field(default=None, description="The body for `status` instead")
    hang: bool = Field(default=False, description="Never answer")
    but_do_it: bool = Field(default=False, description="Do what was asked first: only the answer is late, or lost")

    fail_at: str | None = Field(default=None, description="The step that fails: its id, or its number from 1")
    message: str = Field(default=TOLD_TO_FAIL, description="The reason that the failing step gives")
    silent_from: str | None = Field(
        default=None, description="The step (or `results`) from which on no event is sent, so 1 for none at all"
    )
    duplicate: Literal["publish", "delivery"] | None = Field(
        default=None, description="Send each event twice: published anew, with a time of its own, or the very same one"
    )
    reorder: Literal["swap", "reverse"] | None = Field(
        default=None, description="Send the events in another order: neighbours exchanged, or the last one first"
    )
    event_delay_seconds: float = Field(default=0, ge=0, le=3600, description="How late each event is sent")


current_fault: ContextVar[Fault | None] = ContextVar("current_fault", default=None)
"""The fault of the request that is being handled."""
