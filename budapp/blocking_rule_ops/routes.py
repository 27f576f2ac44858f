from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from budapp.blocking_rule_ops import schemas as view
from budapp.blocking_rule_ops.services import BlockingRules, get_rule
from budapp.commons.access import Caller, Requires
from budapp.commons.database import Read, Write
from budapp.commons.domain import provided
from budapp.commons.idempotency import IdempotentRoute
from budapp.commons.scopes import Scope

router = APIRouter(prefix="/metrics/gateway", tags=["blocking rules"], route_class=IdempotentRoute)

Operator = Annotated[Caller, Depends(Requires(Scope.TENANT_MANAGE))]
OperatorOf = Annotated[Caller, Depends(Requires(Scope.TENANT_MANAGE, row=get_rule))]
Rules = Annotated[BlockingRules, provided(BlockingRules)]
Stats = Annotated[view.StatsQuery, Query()]
RULES = "/blocking-rules"


@router.get(RULES)
async def list_rules(
    caller: Operator, session: Read, rules: Rules, query: Annotated[view.RuleQuery, Query()]
) -> view.RuleList:
    """List the blocking rules, the most important first; for super administrators of the platform's own tenant."""
    return await rules.page(session, caller, query)


@router.post(RULES, status_code=201)
async def create_rule(data: view.RuleCreate, caller: Operator, session: Write, rules: Rules) -> view.RuleAnswer:
    """Make a blocking rule, which counts for all requests to the gateway."""
    return view.RuleAnswer(message="Blocking rule created", data=await rules.create(session, caller, data))


@router.post(RULES + "/sync")
async def sync_rules(_data: view.SyncRequest, _caller: Operator, rules: Rules) -> view.Synced:
    """Bring all rules to the gateway now, as happens by itself after each change and every ten minutes."""
    return view.Synced(message="The gateway has the rules", active_rules=await rules.sync())


@router.post(RULES + "/sync-stats")
async def check_counts(_caller: Operator, rules: Rules) -> view.Synced:
    """Ask budmetrics whether it counts; nothing is kept of it, as each look asks it anew."""
    count = await rules.check_counts()
    return view.Synced(
        message=f"{count} requests were turned away in the last 30 days", active_rules=await rules.sync()
    )


@router.get(RULES + "/{rule_id}")
async def get_blocking_rule(rule_id: UUID, caller: OperatorOf, session: Read, rules: Rules) -> view.RuleAnswer:
    """Get a blocking rule."""
    return view.RuleAnswer(data=await rules.get(session, caller, rule_id))


@router.put(RULES + "/{rule_id}")
async def update_rule(
    rule_id: UUID, data: view.RuleUpdate, caller: OperatorOf, session: Write, rules: Rules
) -> view.RuleAnswer:
    """Change a blocking rule, or switch it on or off."""
    found = await rules.update(session, caller, rule_id, data)
    return view.RuleAnswer(message="Blocking rule changed", data=found)


@router.delete(RULES + "/{rule_id}")
async def delete_rule(rule_id: UUID, caller: OperatorOf, session: Write, rules: Rules) -> view.RuleDeleted:
    """Delete a blocking rule."""
    await rules.delete(session, caller, rule_id)
    return view.RuleDeleted(id=rule_id)


@router.get("/blocking-rules-stats")
@router.get("/blocking-dashboard-stats")
async def get_rule_stats(caller: Operator, session: Read, rules: Rules, query: Stats) -> view.RuleStats:
    """Count the rules, and whom they have turned away."""
    return await rules.stats(session, caller, query)


@router.get("/blocking-stats")
async def get_blocking_stats(_caller: Operator, rules: Rules, query: Stats) -> view.BlockingStats:
    """Return whom the gateway has turned away most."""
    return await rules.blocked(query)
