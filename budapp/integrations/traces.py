"""What budmetrics has of the calls of prompts: traces, and the spans in them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from budapp.commons.errors import NotFound
from budapp.commons.storable import OutsideText
from budapp.integrations.dapr import Peer
from budapp.integrations.peers import Json, Reply
from budapp.integrations.shared_calls import SharedCalls


class SpanEvent(Reply):
    timestamp: datetime | None = None
    name: str = ""
    attributes: dict[str, OutsideText] = {}


class SpanLink(Reply):
    trace_id: str = ""
    span_id: str = ""
    trace_state: str = ""
    attributes: dict[str, OutsideText] = {}


class Span(Reply):
    """A part of a call; `duration` is in nanoseconds."""

    timestamp: datetime = Field(description="When it began")
    trace_id: str
    span_id: str
    parent_span_id: str = ""
    trace_state: str = ""
    span_name: str = ""
    span_kind: str = ""
    service_name: str = ""
    scope_name: str = ""
    scope_version: str = ""
    resource_attributes: dict[str, OutsideText] = {}
    span_attributes: dict[str, OutsideText] = {}
    duration: int = Field(default=0, ge=0, description="How long it took, in nanoseconds")
    status_code: str = Field(default="", description="OpenTelemetry's status, such as `STATUS_CODE_OK`")
    status_message: OutsideText = Field(default="", description="What went wrong, in words; empty where nothing did")
    events: list[SpanEvent] = []
    links: list[SpanLink] = []
    child_span_count: int = 0


class Traces(Reply):
    items: list[Span]
    total_count: int = Field(default=0, ge=0)


class Trace(Reply):
    trace_id: str
    spans: list[Span] = []
    total_spans: int = 0


class TelemetrySpan(Reply):
    """A part of a call, with those inside it; `duration` is in nanoseconds."""

    timestamp: str = Field(description="When it began, as budmetrics writes it")
    trace_id: str
    span_id: str
    parent_span_id: str = ""
    trace_state: str = ""
    span_name: str
    span_kind: str = ""
    service_name: str = ""
    scope_name: str = ""
    scope_version: str = ""
    duration: int = Field(default=0, ge=0, description="How long it took, in nanoseconds")
    status_code: str = Field(default="", description="OpenTelemetry's status, such as `STATUS_CODE_OK`")
    status_message: OutsideText = Field(default="", description="What went wrong, in words; empty where nothing did")
    child_count: int = 0
    children: list["TelemetrySpan"] = Field(default=[], description="The spans inside it, as deep as was asked for")
    attributes: dict[str, OutsideText] = {}
    resource_attributes: dict[str, OutsideText] | None = None
    events: list[Json] | None = None
    links: list[Json] | None = None


class Telemetry(Reply):
    data: list[TelemetrySpan]
    total_count: int = Field(default=0, ge=0)
    has_more: bool = False
    query_time_ms: int = 0


class PromptTraces:
    """The traces of prompts. Every method raises `PeerFailed` or `Unavailable` where budmetrics does not answer."""

    def __init__(self, calls: SharedCalls) -> None:
        self._calls = calls

    async def page(self, prompt: str, project_id: UUID, query: Mapping[str, Any]) -> Traces:
        """Return some of the calls of a prompt in its project."""
        of = {"resource_type": "prompt", "resource_id": prompt, "project_id": str(project_id)}
        return await self._calls.get(Traces, Peer.BUDMETRICS, "observability/traces", {**query, **of})

    async def trace(self, prompt: str, project_id: UUID, since: datetime, trace_id: str) -> Trace:
        """Return a call of a prompt, or raise `NotFound` where it is one of another.

        budmetrics finds a trace by its id alone, so it is asked first whether the prompt has it.
        """
        of = {"prompt_id": prompt, "project_id": str(project_id)}
        body = {**of, "trace_id": trace_id, "from_date": since.isoformat(), "limit": 1}
        if not (await self._telemetry(body)).data:
            raise NotFound("Trace not found")
        return await self._calls.get(Trace, Peer.BUDMETRICS, f"observability/traces/{trace_id}")

    async def spans(self, prompt: str, project_id: UUID, query: Json) -> Telemetry:
        """Return some of the parts of a prompt's calls in its project."""
        return await self._telemetry({**query, "prompt_id": prompt, "project_id": str(project_id)})

    async def _telemetry(self, body: Json) -> Telemetry:
        return await self._calls.post(Telemetry, Peer.BUDMETRICS, "observability/prompt-telemetry/query", body)
