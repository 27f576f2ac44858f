"""The calls of a prompt, as budmetrics has them, for those who may look at the prompt."""

from uuid import UUID

from budapp.api_key_ops.holders import Holder
from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, release
from budapp.commons.errors import NotFound
from budapp.integrations.traces import PromptTraces
from budapp.prompt_ops import trace_schemas as view
from budapp.prompt_ops.crud import PromptCrud
from budapp.prompt_ops.models import Prompt


async def list_traces(
    session: ReadSession, caller: Caller, traces: PromptTraces, name: str, query: view.TraceQuery
) -> view.TraceList:
    """Return a page of the calls of a prompt, the newest first; or raise `NotFound`."""
    prompt = await _prompt(session, caller, name, query.project_id)
    await release(session)
    asked = {
        "from_date": query.from_date.isoformat(),
        "to_date": query.to_date.isoformat(),
        "offset": (query.page - 1) * query.limit,
        "limit": query.limit,
        "flatten": query.flatten,
    }
    found = await traces.page(prompt.bud_prompt_id, prompt.project_id, asked)
    return view.TraceList(items=found.items, page=query.page, limit=query.limit, total_record=found.total_count)


async def get_trace(
    session: ReadSession, caller: Caller, traces: PromptTraces, name: str, project_id: UUID, trace_id: str
) -> view.TraceAnswer:
    """Return a call of a prompt with all its parts, or raise `NotFound`."""
    prompt = await _prompt(session, caller, name, project_id)
    await release(session)
    found = await traces.trace(prompt.bud_prompt_id, prompt.project_id, prompt.created_at, trace_id)
    return view.TraceAnswer(trace_id=found.trace_id, spans=found.spans, total_spans=found.total_spans)


async def query_telemetry(
    session: ReadSession, holder: Holder, traces: PromptTraces, query: view.TelemetryQuery
) -> view.TelemetryAnswer:
    """Return some of the parts of a prompt's calls; or raise `NotFound`, also for a key of another project."""
    prompt = await PromptCrud(session, holder.caller).called(query.prompt_id)
    if prompt is None or (holder.key is not None and holder.key.project_id != prompt.project_id):
        raise NotFound("Prompt not found", param="prompt_id")
    await release(session)
    offset = (query.page - 1) * query.limit
    asked = query.model_dump(mode="json", exclude={"prompt_id", "page"}, exclude_none=True)
    found = await traces.spans(prompt.bud_prompt_id, prompt.project_id, {**asked, "offset": offset})
    about = {"page": query.page, "limit": query.limit, "total_record": found.total_count, "offset": offset}
    times = {"has_more": found.has_more, "query_time_ms": found.query_time_ms}
    return view.TelemetryAnswer(data=found.data, **about, **times)


async def _prompt(session: ReadSession, caller: Caller, name: str, project_id: UUID) -> Prompt:
    prompt = await PromptCrud(session, caller).called(name)
    if prompt is None or prompt.project_id != project_id:
        raise NotFound("Prompt not found")
    return prompt
