"""The words of all calls of other services: what is called, and how those answer that go on to work by themselves."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PeerCall:
    """A call of another service, for `DaprClient.invoke` or for the outbox.

    Attributes:
        app_id: a `Peer`.
        method: the HTTP method.
        path: the service's path, with its query where there is one.
        json: the body.
    """

    app_id: str
    method: str
    path: str
    json: Json | None = None


class Reply(BaseModel):
    """A part of what a service says; it may say more than is read."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())


class StepAnswer(Reply):
    """A step that the service is going to take."""

    id: str
    title: str = ""
    description: str = ""


class WorkAnswer(Reply):
    """What a service answers when it is asked to work; `eta` is in minutes."""

    workflow_id: str
    steps: list[StepAnswer]
    status: str | None = None
    eta: int | None = None
