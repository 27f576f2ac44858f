"""How a probe of one's own comes in steps: its kind, its policy, its name."""

from typing import Any
from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest
from budapp.commons.scopes import Scope
from budapp.guardrail_ops import profile_crud
from budapp.guardrail_ops.policies import HANDLER, GuardrailPolicy, PolicyConfig
from budapp.guardrail_ops.services import new_probe, new_rule, own_provider
from budapp.guardrail_ops.step_views import CustomProbeSteps
from budapp.guardrail_ops.workflow_schemas import CustomProbePost
from budapp.integrations.peers import PeerCall
from budapp.workflow_ops.definitions import Definition, Outcome, Run, Task

_OPTIONS: dict[str, dict[str, str]] = {
    "llm_policy": {
        "model_uri": "openai/gpt-oss-safeguard-20b",
        "scanner_type": "llm",
        "handler": HANDLER,
        "model_provider_type": "cloud_model",
    }
}
_ORDER = ("probe_type_option", "policy", "name")
_NEEDED = ("name", "scanner_type", "policy")


async def _check(session: WriteSession, caller: Caller, run: Run) -> None:
    if run.posted.get("probe_type_option"):
        run.keep(**_OPTIONS[run.posted["probe_type_option"]])
    last = max((_ORDER.index(name) for name in _ORDER if name in run.posted), default=-1)
    needed = _ORDER if run.triggered else _ORDER[: max(last, 0)]
    missing = [name for name in needed if not run.data.get(name)]
    if missing:
        raise BadRequest(f"Step {_ORDER.index(missing[0]) + 1} comes first: it says {missing[0]}", param="step_number")
    run.workflow.title = run.data.get("name") or CUSTOM_PROBE.title
    if run.triggered and not run.data.get("probe_id"):
        await _make(session, caller, run)


async def _make(session: WriteSession, caller: Caller, run: Run) -> None:
    data = run.data
    about = {"name": data["name"], "description": data.get("description")}
    provider = await own_provider(session)
    probe = new_probe(caller, **about, provider_id=provider.id, provider_type="bud", probe_type="custom")
    session.add(probe)
    await session.flush()
    config = PolicyConfig(policy=GuardrailPolicy.model_validate(data["policy"])).model_dump(mode="json")
    of_model = {name: data[name] for name in ("model_uri", "model_provider_type", "scanner_type")}
    kinds = {
        "guard_types": data.get("guard_types") or ["input"],
        "modality_types": data.get("modality_types") or ["text"],
    }
    session.add(new_rule(caller, probe.id, **about, **of_model, **kinds, model_config_json=config))
    await session.flush()
    models = await profile_crud.models_of_uris(session, caller.tenant_id, [data["model_uri"]])
    model_id = str(models[data["model_uri"]].id) if models else None
    run.keep(probe_id=str(probe.id), model_id=model_id)


async def _ask_nobody(_session: ReadSession, _run: Run) -> PeerCall | None:
    return None


async def _made(_session: WriteSession, run: Run, _answer: Any) -> Outcome:
    status = {"status": "success", "message": "Custom probe created"}
    return Outcome(here={"workflow_execution_status": status}, result={"probe_id": str(UUID(run.data["probe_id"]))})


CUSTOM_PROBE = Definition(
    type="custom_probe_creation",
    scope=Scope.MODEL_MANAGE,
    title="Custom probe",
    tag="Guardrails",
    fields=CustomProbePost.step_fields(),
    shows=CustomProbeSteps,
    check=_check,
    tasks=(Task(needs=_NEEDED, request=_ask_nobody, results=_made),),
)
