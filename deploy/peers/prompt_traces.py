"""The calls of prompts, as budmetrics' stand-in makes them up: the same for the same prompt."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID, uuid5

from fastapi import APIRouter, HTTPException, Query, status
from pydantic import AwareDatetime, BaseModel, Field

Fields = dict[str, Any]
_NAMES = UUID("b6f0a9e4-1d52-4b0e-8f57-3a0a5d2c7e11")
_COUNT = 25
_PARTS = ("gateway.responses", "budprompt.execute", "model.chat")


class TraceQuery(BaseModel):
    """Which traces are listed."""

    resource_type: Literal["prompt"]
    resource_id: str
    project_id: UUID
    from_date: AwareDatetime
    to_date: AwareDatetime
    offset: int = Field(default=0, ge=0)
    limit: int = Field(default=50, ge=1, le=1000)
    flatten: bool = False


class TelemetryQuery(BaseModel):
    """Which spans of a prompt are asked for."""

    prompt_id: str
    from_date: AwareDatetime
    trace_id: str | None = None
    project_id: str | None = None
    limit: int = 50
    offset: int = 0


def _trace(prompt: str, project_id: str, number: int) -> list[Fields]:
    """Return the spans of a call, the outermost first."""
    trace_id = uuid5(_NAMES, f"{prompt} {project_id} {number}").hex
    began = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=number)
    failed = number % 7 == 6
    spans: list[Fields] = []
    for depth, name in enumerate(_PARTS):
        about = {"gen_ai.prompt.id": prompt, "bud.project_id": project_id, "depth": str(depth)}
        spans.append(
            {
                "timestamp": began + timedelta(milliseconds=depth),
                "trace_id": trace_id,
                "span_id": uuid5(_NAMES, f"{trace_id} {depth}").hex[:16],
                "parent_span_id": spans[-1]["span_id"] if spans else "",
                "trace_state": "",
                "span_name": name,
                "span_kind": "SPAN_KIND_SERVER" if depth == 0 else "SPAN_KIND_INTERNAL",
                "service_name": name.partition(".")[0],
                "resource_attributes": {"service.name": name.partition(".")[0]},
                "scope_name": "bud",
                "scope_version": "1",
                "span_attributes": about,
                "duration": (len(_PARTS) - depth) * 120_000_000,
                "status_code": "STATUS_CODE_ERROR" if failed else "STATUS_CODE_OK",
                "status_message": "The model did not answer" if failed else "",
                "events": [{"timestamp": began, "name": "exception", "attributes": {"error_type": "Timeout"}}]
                if failed
                else [],
                "links": [],
                "child_span_count": len(_PARTS) - 1 - depth,
            }
        )
    return spans


def router() -> APIRouter:
    """Return the routes of the contract."""
    routes = APIRouter(prefix="/observability", tags=["traces"])
    known: dict[str, list[Fields]] = {}

    def traces_of(prompt: str, project_id: str) -> list[list[Fields]]:
        found = [_trace(prompt, project_id, number) for number in range(_COUNT)]
        known.update({spans[0]["trace_id"]: spans for spans in found})
        return found

    @routes.get("/traces")
    async def list_traces(query: Annotated[TraceQuery, Query()]) -> Fields:
        found = [
            spans
            for spans in traces_of(query.resource_id, str(query.project_id))
            if query.from_date <= spans[0]["timestamp"] <= query.to_date
        ]
        shown = [span for spans in found for span in (spans if query.flatten else spans[:1])]
        page = shown[query.offset : query.offset + query.limit]
        about = {"offset": query.offset, "limit": query.limit}
        return {"object": "trace_list", "items": page, "total_count": len(shown), **about}

    @routes.get("/traces/{trace_id}")
    async def get_trace(trace_id: str) -> Fields:
        if trace_id not in known:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "Trace not found")
        spans = known[trace_id]
        return {"object": "trace_detail", "trace_id": trace_id, "spans": spans, "total_spans": len(spans)}

    @routes.post("/prompt-telemetry/query")
    async def query_telemetry(body: TelemetryQuery) -> Fields:
        found = [
            span
            for spans in traces_of(body.prompt_id, body.project_id or "")
            for span in spans
            if body.trace_id in {None, span["trace_id"]}
        ]
        page = [
            {**span, "attributes": span["span_attributes"], "child_count": span["child_span_count"]}
            for span in found[body.offset : body.offset + body.limit]
        ]
        total = {"total_count": len(found), "has_more": body.offset + body.limit < len(found), "query_time_ms": 1}
        return {"object": "telemetry_query", "data": page, "limit": body.limit, "offset": body.offset, **total}

    return routes
