from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from budapp.commons.schemas import Answer, Schema

SessionId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{16,100}$")]


class SessionView(Schema):
    """A place where somebody is signed in.

    `device` puts browser and system into words; it and the address are those of the sign-in or the latest renewal.
    """

    id: str
    device: str = Field(description="Browser and system, in words")
    browser: str | None
    os: str | None
    address: str | None = Field(description="The IP address of the sign-in, or of the latest renewal")
    started_at: datetime
    last_used_at: datetime
    remember_me: bool
    is_current: bool = Field(description="Whether it is the session of this request")


class SessionList(Answer):
    """Where somebody is signed in, the last used first."""

    object: Literal["session.list"] = "session.list"
    message: str = "Sessions found"
    sessions: list[SessionView]


class SessionsEnded(Answer):
    """How many sessions were ended."""

    object: Literal["session.end"] = "session.end"
    message: str = "Session ended"
    ended: int = Field(description="How many sessions were ended")
