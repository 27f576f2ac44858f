from typing import Any

from sqlalchemy import select, update
from uuid_utils.compat import uuid7

from budapp.guardrail_ops.models import (
    GuardrailDeployment,
    GuardrailProbe,
    GuardrailProfile,
    GuardrailProfileProbe,
    GuardrailProfileRule,
    GuardrailRule,
    GuardrailRuleDeployment,
)
from budapp.provider_ops.models import Provider
from tests.surface.share import Audited, RequestContext, SeedContext, Share, Things, Valid
from tests.workflows.surface import add_draft, own_drafts

_POLICY = {
    "task": "Judge",
    "safe_content": {"category": "safe"},
    "violations": [{"category": "Bad", "description": "Bad"}],
}


async def _provider(context: SeedContext) -> Provider:
    """Return the provider by whose hands the platform's own models look at texts."""
    found: Provider | None = await context.session.scalar(select(Provider).where(Provider.type == "bud_sentinel"))
    if found is None:
        about = {"name": "Bud Sentinel", "type": "bud_sentinel", "icon": "\N{SHIELD}"}
        found = Provider(id=uuid7(), capabilities=["moderation"], **about)
        await context.add(found)
    return found


async def _seed(context: SeedContext) -> Things:
    """Put in a probe of the tenant's own with a rule, and a profile that is at work by itself."""
    provider = await _provider(context)
    ids = {"probe": uuid7(), "rule": uuid7(), "profile": uuid7()}
    of_provider = {"provider_id": provider.id, "provider_type": "bud", "probe_type": "custom"}
    probe = GuardrailProbe(id=ids["probe"], name="Ours", uri=f"custom.{ids['probe']}", **of_provider, **context.owned)
    kinds = {"guard_types": ["input"], "modality_types": ["text"], "scanner_type": "pattern"}
    rule = GuardrailRule(
        id=ids["rule"], probe_id=probe.id, name="Words", uri=f"custom.{ids['rule']}", **kinds, **context.owned
    )
    where = {"project_id": context.id_of("busy_project_id"), "guard_types": ["input"], "severity_threshold": 0.5}
    profile = GuardrailProfile(id=ids["profile"], name="Guard", **where, **context.owned)
    mine = {"tenant_id": context.tenant_id, "profile_id": profile.id}
    said = GuardrailProfileRule(rule_id=rule.id, severity_threshold=0.9, **mine)
    served = GuardrailRuleDeployment(rule_id=rule.id, endpoint_id=context.id_of("endpoint_id"), **mine)
    deployment = GuardrailDeployment(
        id=uuid7(), name="Guard", profile_id=profile.id, project_id=where["project_id"], **context.owned
    )
    await context.add(probe, rule, profile, GuardrailProfileProbe(probe_id=probe.id, **mine), said, served, deployment)
    draft = await add_draft(context, "guardrail_deployment", {"name": "Other"})
    custom = await add_draft(context, "custom_probe_creation", {"probe_type_option": "llm_policy"})
    return {
        "moderation_provider_id": str(provider.id),
        "probe_id": str(probe.id),
        "guardrail_rule_id": str(rule.id),
        "profile_id": str(profile.id),
        "guardrail_deployment_id": str(deployment.id),
        "guardrail_workflow_id": str(draft.id),
        "custom_probe_workflow_id": str(custom.id),
    }


async def _of_caller(context: RequestContext) -> None:
    """Have the caller be who made the tenant's own probes and rules."""
    if context.person is None or not context.is_of_the_tenant:
        return
    async with context.database.write() as session:
        for table in (GuardrailProbe, GuardrailRule):
            mine = table.tenant_id == context.person.tenant_id
            await session.execute(update(table).where(mine).values(created_by=context.person.id))


def _probe(t: Things) -> dict[str, Any]:
    return {"name": "New", "provider_id": t["moderation_provider_id"], "provider_type": "bud"}


def _custom(t: Things) -> dict[str, Any]:
    config = {"policy": _POLICY}
    return {"name": "New", "scanner_type": "llm", "model_id": t["model_id"], "model_config_data": config}


_RULE = "/guardrails/rule/{rule_id}"
_PROBE = "/guardrails/probe/{probe_id}"
_CUSTOM = "/guardrails/custom-probe/{probe_id}"
_PROFILE = "/guardrails/profile/{profile_id}"
_DEPLOYMENT = "/guardrails/deployment/{deployment_id}"
_NAMED = Valid(lambda t: {"name": t["fresh"]})
_OF_RULE = {"rule_id": "guardrail_rule_id"}
_OF_DEPLOYMENT = {"deployment_id": "guardrail_deployment_id"}
_OWN = Valid(lambda t: {"name": t["fresh"]}, prepare=_of_caller)
_GONE = Valid(prepare=_of_caller)

share = Share(
    "guardrail_ops",
    seed=_seed,
    requests={
        "POST /guardrails/probe": Valid(_probe),
        f"PUT {_PROBE}": _OWN,
        f"DELETE {_PROBE}": _GONE,
        "POST /guardrails/rule": Valid(lambda t: {"probe_id": t["probe_id"], "name": "New"}, prepare=_of_caller),
        f"GET {_RULE}": Valid(path=_OF_RULE),
        f"PUT {_RULE}": Valid(lambda t: {"name": t["fresh"]}, path=_OF_RULE, prepare=_of_caller),
        f"DELETE {_RULE}": Valid(path=_OF_RULE, prepare=_of_caller),
        "POST /guardrails/custom-probe": Valid(_custom),
        f"PUT {_CUSTOM}": _OWN,
        f"DELETE {_CUSTOM}": _GONE,
        f"PUT {_PROFILE}": _NAMED,
        f"POST {_PROFILE}/test": Valid(lambda t: {"text": "Good morning"}),
        f"GET {_DEPLOYMENT}": Valid(path=_OF_DEPLOYMENT),
        f"GET {_DEPLOYMENT}/progress": Valid(path=_OF_DEPLOYMENT),
        f"PUT {_DEPLOYMENT}": Valid(lambda t: {"name": t["fresh"]}, path=_OF_DEPLOYMENT),
        f"DELETE {_DEPLOYMENT}": Valid(path=_OF_DEPLOYMENT),
        "POST /guardrails/custom-probe-workflow": Valid(
            lambda t: {"step_number": 2, "workflow_id": t["custom_probe_workflow_id"], "policy": _POLICY},
            prepare=own_drafts,
        ),
        "POST /guardrails/deploy-workflow": Valid(
            lambda t: {
                "step_number": 3,
                "workflow_id": t["guardrail_workflow_id"],
                "project_id": t["busy_project_id"],
            },
            prepare=own_drafts,
        ),
    },
    audited={
        "POST /guardrails/probe": Audited("create", "guardrail"),
        f"PUT {_PROBE}": Audited("update", "guardrail"),
        f"DELETE {_PROBE}": Audited("update", "guardrail"),
        "POST /guardrails/rule": Audited("create", "guardrail"),
        f"PUT {_RULE}": Audited("update", "guardrail"),
        f"DELETE {_RULE}": Audited("update", "guardrail"),
        "POST /guardrails/custom-probe": Audited("create", "guardrail"),
        f"PUT {_CUSTOM}": Audited("update", "guardrail"),
        f"DELETE {_CUSTOM}": Audited("update", "guardrail"),
        f"PUT {_PROFILE}": Audited("update", "guardrail"),
        f"DELETE {_PROFILE}": Audited("update", "guardrail"),
        f"PUT {_DEPLOYMENT}": Audited("update", "guardrail"),
        f"DELETE {_DEPLOYMENT}": Audited("update", "guardrail"),
        "POST /guardrails/custom-probe-workflow": Audited(
            "create",
            "workflow",
            Valid(lambda t: {"step_number": 1, "workflow_total_steps": 3, "probe_type_option": "llm_policy"}),
        ),
        "POST /guardrails/deploy-workflow": Audited(
            "create", "workflow", Valid(lambda t: {"step_number": 1, "workflow_total_steps": 10, "name": t["fresh"]})
        ),
    },
    changes_nothing={f"POST {_PROFILE}/test": "only looks through a text"},
)
