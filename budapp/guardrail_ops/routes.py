from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.commons.access import Caller, Requires, service_accounts_may
from budapp.commons.database import Read, Write
from budapp.commons.deadlines import TRIGGER_SECONDS, may_take
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.paging import PagingQuery
from budapp.commons.scopes import Scope
from budapp.guardrail_ops import schemas as view
from budapp.guardrail_ops import services
from budapp.guardrail_ops.custom_workflow import CUSTOM_PROBE
from budapp.guardrail_ops.workflow_schemas import CustomProbePost, GuardrailPost
from budapp.guardrail_ops.workflows import GUARDRAIL
from budapp.workflow_ops.schemas import WorkflowRetrieved
from budapp.workflow_ops.services import WorkflowsDep

router = APIRouter(
    prefix="/guardrails", tags=["guardrails"], route_class=IdempotentRoute, dependencies=[service_accounts_may]
)

Viewer = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW))]
Manager = Annotated[Caller, Depends(Requires(Scope.MODEL_MANAGE))]
ViewerOfProbe = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW, row=services.reach_probe))]
ManagerOfProbe = Annotated[Caller, Depends(Requires(Scope.MODEL_MANAGE, row=services.reach_changeable_probe))]
ViewerOfRule = Annotated[Caller, Depends(Requires(Scope.MODEL_VIEW, row=services.reach_rule))]
ManagerOfRule = Annotated[Caller, Depends(Requires(Scope.MODEL_MANAGE, row=services.reach_changeable_rule))]


@router.get("/probes/tags")
async def list_probe_tags(
    caller: Viewer, session: Read, query: Annotated[view.TagQuery, Query()]
) -> view.GuardrailTagList:
    """List the tags of probes, by name."""
    return view.GuardrailTagList.of(await services.list_tags(session, caller, query))


@router.get("/probes")
async def list_probes(caller: Viewer, session: Read, query: Annotated[view.ProbeQuery, Query()]) -> view.ProbeList:
    """List the probes, presets and the tenant's own, by name; those that are active unless others are asked for."""
    page = await services.list_probes(session, caller, query)
    return view.ProbeList(probes=[view.ProbeView.model_validate(row) for row in page.rows], **page.envelope())


@router.post("/probe", status_code=201)
async def create_probe(data: view.ProbeCreate, caller: Manager, session: Write) -> view.ProbeCreated:
    """Make a probe of the tenant's own; `POST /guardrails/rule` adds its rules."""
    probe_id = await services.create_probe(session, caller, data)
    probe = await services.get_probe(session, caller, probe_id)
    return view.ProbeCreated(probe=probe, rule_count=probe.rule_count)


@router.get("/probe/{probe_id}")
async def get_probe(
    probe_id: UUID, caller: ViewerOfProbe, session: Read, include_rules: bool = False
) -> view.ProbeRetrieved:
    """Get a probe, with its rules where asked."""
    probe = await services.get_probe(session, caller, probe_id, include_rules=include_rules)
    return view.ProbeRetrieved(probe=probe, rule_count=probe.rule_count)


@router.put("/probe/{probe_id}")
async def update_probe(
    probe_id: UUID, data: view.ProbeUpdate, caller: ManagerOfProbe, session: Write
) -> view.ProbeUpdated:
    """Change a probe of the tenant's own: who made it may, and administrators."""
    await services.update_probe(session, caller, probe_id, data)
    probe = await services.get_probe(session, caller, probe_id)
    return view.ProbeUpdated(probe=probe, rule_count=probe.rule_count)


@router.delete("/probe/{probe_id}")
async def delete_probe(probe_id: UUID, caller: ManagerOfProbe, session: Write) -> view.Deleted:
    """Delete a probe of the tenant's own: who made it may, and administrators."""
    await services.delete_probe(session, caller, probe_id)
    return view.Deleted(message="Probe deleted")


@router.get("/probe/{probe_id}/rules")
async def list_rules(
    probe_id: UUID, caller: ViewerOfProbe, session: Read, query: Annotated[view.RuleQuery, Query()]
) -> view.GuardrailRuleList:
    """List a probe's rules, by name."""
    return view.GuardrailRuleList.of(await services.list_rules(session, caller, probe_id, query))


@router.post("/rule", status_code=201)
async def create_rule(data: view.GuardrailRuleCreate, caller: Manager, session: Write) -> view.RuleRetrieved:
    """Add a rule to a probe of the tenant's own."""
    row = await services.create_rule(session, caller, data)
    return view.RuleRetrieved(message="Rule created", rule=view.GuardrailRuleView.model_validate(dict(row._mapping)))


@router.get("/rule/{rule_id}")
async def get_rule(rule_id: UUID, caller: ViewerOfRule, session: Read) -> view.RuleRetrieved:
    """Get a rule."""
    row = await services.get_rule(session, caller, rule_id)
    return view.RuleRetrieved(rule=view.GuardrailRuleView.model_validate(dict(row._mapping)))


@router.put("/rule/{rule_id}")
async def update_rule(
    rule_id: UUID, data: view.GuardrailRuleUpdate, caller: ManagerOfRule, session: Write
) -> view.RuleRetrieved:
    """Change a rule of the tenant's own: who made it may, and administrators."""
    row = await services.update_rule(session, caller, rule_id, data)
    return view.RuleRetrieved(message="Rule updated", rule=view.GuardrailRuleView.model_validate(dict(row._mapping)))


@router.delete("/rule/{rule_id}")
async def delete_rule(rule_id: UUID, caller: ManagerOfRule, session: Write) -> view.Deleted:
    """Delete a rule of the tenant's own: who made it may, and administrators."""
    await services.delete_rule(session, caller, rule_id)
    return view.Deleted(message="Rule deleted")


@router.get("/custom-probes")
async def list_custom_probes(caller: Viewer, session: Read, query: PagingQuery) -> view.CustomProbeList:
    """List the tenant's own probes, the newest first."""
    return view.CustomProbeList.of(await services.list_custom_probes(session, caller, query))


@router.post("/custom-probe", status_code=201)
async def create_custom_probe(data: view.CustomProbeCreate, caller: Manager, session: Write) -> view.CustomProbeCreated:
    """Make a probe with one rule, by a model of the tenant's: a classifier, or one that judges by a policy."""
    row = await services.create_custom_probe(session, caller, data)
    return view.CustomProbeCreated(probe=view.CustomProbeView.model_validate(dict(row._mapping)))


@router.put("/custom-probe/{probe_id}")
async def update_custom_probe(
    probe_id: UUID, data: view.CustomProbeUpdate, caller: ManagerOfProbe, session: Write
) -> view.CustomProbeUpdated:
    """Change a probe of the tenant's own with its one rule."""
    row = await services.update_custom_probe(session, caller, probe_id, data)
    return view.CustomProbeUpdated(probe=view.CustomProbeView.model_validate(dict(row._mapping)))


@router.delete("/custom-probe/{probe_id}")
async def delete_custom_probe(probe_id: UUID, caller: ManagerOfProbe, session: Write) -> view.Deleted:
    """Delete a probe of the tenant's own."""
    await services.delete_probe(session, caller, probe_id)
    return view.Deleted(message="Custom probe deleted")


@router.post("/custom-probe-workflow", dependencies=[may_take(TRIGGER_SECONDS)])
async def post_custom_probe_step(data: CustomProbePost, caller: Manager, flows: WorkflowsDep) -> WorkflowRetrieved:
    """Post a step of making a probe that a model judges by a policy; the last one makes it."""
    return await flows.post(caller, CUSTOM_PROBE.type, data)


@router.post("/deploy-workflow", dependencies=[may_take(TRIGGER_SECONDS)])
async def post_deployment_step(data: GuardrailPost, caller: Manager, flows: WorkflowsDep) -> WorkflowRetrieved:
    """Post a step of deploying guardrails; some have budpipeline bring in, simulate or deploy models."""
    return await flows.post(caller, GUARDRAIL.type, data)
