"""The catalogue of probes: presets that nobody changes, and probes and rules of the tenant's own."""

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from budapp.commons.domain import components_of
from budapp.commons.errors import BadRequest, Unavailable
from budapp.guardrail_ops.catalog import BUNDLED, sync_from
from budapp.integrations.outgoing import Outgoing
from tests.guardrails.conftest import Fort
from tests.statements import Statements

Json = dict[str, Any]
POLICY: Json = {
    "task": "Find advice on investments",
    "definitions": [{"term": "Advice", "definition": "Saying what to buy"}],
    "safe_content": {"category": "safe", "description": "Facts", "items": [], "examples": []},
    "violations": [{"category": "Advice", "severity": "high", "description": "Tips", "escalate": "", "items": []}],
}


async def test_presets_are_listed_with_what_they_can_look_at(fort: Fort) -> None:
    page = await fort.get("/probes", limit=3)
    assert (len(page["probes"]), page["total_record"]) == (3, 6)
    pii = fort.probes["Personal data"]
    assert (pii["is_custom"], pii["provider"]["type"], pii["rule_count"]) == (False, "bud_sentinel", 5)
    assert (pii["scanner_types"], sorted(pii["guard_types"])) == (["pattern"], ["input", "output"])
    assert {one["name"] for one in (await fort.get("/probes", provider_type="cloud"))["probes"]} == {
        "OpenAI moderation",
        "Azure content safety",
    }
    assert [one["name"] for one in (await fort.get("/probes", tags="privacy,none"))["probes"]] == ["Personal data"]
    assert [one["name"] for one in (await fort.get("/probes", name="SECR", search=True))["probes"]] == ["Secrets"]
    tags = (await fort.get("/probes/tags"))["tags"]
    assert [tag["name"] for tag in tags] == ["moderation", "privacy", "security"]
    assert [tag["name"] for tag in (await fort.get("/probes/tags", name="PRIV"))["tags"]] == ["privacy"]
    detail = (await fort.get(f"/probe/{pii['id']}", include_rules=True))["probe"]
    assert [rule["name"] for rule in detail["rules"]][:2] == ["Credit cards", "E-mail addresses"]
    assert (await fort.get(f"/probe/{pii['id']}"))["probe"]["rules"] is None
    rules = await fort.get(f"/probe/{pii['id']}/rules", name="mail", search=True, is_enabled=True)
    assert [rule["uri"] for rule in rules["rules"]] == ["bud_sentinel.pii.email"]


async def test_presets_are_untouchable(fort: Fort) -> None:
    pii = fort.probes["Personal data"]["id"]
    rule = (await fort.get(f"/probe/{pii}/rules"))["rules"][0]["id"]
    for person in (fort.cast.developer, fort.cast.admin):
        for path in (f"/probe/{pii}", f"/rule/{rule}"):
            await fort.call("PUT", path, 403, person, {"name": "Mine"})
            assert "comes with the platform" in (await fort.call("DELETE", path, 403, person))["message"]
    await fort.call("POST", "/rule", 403, json={"probe_id": pii, "name": "Mine"})


async def test_a_probe_of_ones_own_with_rules(fort: Fort) -> None:
    provider = fort.probes["Personal data"]["provider_id"]
    body = {
        "name": "Ours",
        "provider_id": provider,
        "provider_type": "bud",
        "tags": [{"name": "a", "color": "#E57333"}],
    }
    probe = (await fort.call("POST", "/probe", 201, json=body))["probe"]
    assert (probe["is_custom"], probe["rule_count"]) == (True, 0)
    rule = {"probe_id": probe["id"], "name": "Words", "scanner_type": "classifier"}
    await fort.call("POST", "/rule", 422, json=rule)
    rule |= {"model_uri": "acme/words", "model_provider_type": "hugging_face"}
    made = (await fort.call("POST", "/rule", 201, json=rule))["rule"]
    assert (made["model_id"], made["guard_types"]) == (None, ["input"])
    model_id = await fort.put_in_model("acme/words")
    assert (await fort.get(f"/rule/{made['id']}"))["rule"]["model_id"] == model_id
    changed = await fort.call("PUT", f"/rule/{made['id']}", json={"guard_types": ["output"], "status": "disabled"})
    assert (changed["rule"]["guard_types"], changed["rule"]["status"]) == (["output"], "disabled")
    path = f"/probe/{probe['id']}"
    colleague = await _colleague(fort)
    for method, change in (("PUT", {"name": "Theirs"}), ("DELETE", None)):
        await fort.call(method, path, 403, colleague, change)
        await fort.call(method, path, 404, fort.cast.other_admin, change)
    assert (await fort.call("PUT", path, 200, fort.cast.manager, {"name": "Renamed"}))["probe"]["name"] == "Renamed"
    await fort.get(path, 404, fort.cast.other_admin)
    await fort.get(f"/rule/{made['id']}", 404, fort.cast.other_admin)
    await fort.call("DELETE", path)
    await fort.get(path, 404)
    await fort.get(f"/rule/{made['id']}", 404)


async def _colleague(fort: Fort) -> Any:
    """A developer's colleague who may manage models and is no administrator."""
    await fort.bench.sql(
        "insert into user_permission (id, tenant_id, user_id, scope, granted, created_at, modified_at) "
        "select gen_random_uuid(), :tenant, :user, 'model:manage', true, now(), now() "
        "where not exists (select 1 from user_permission where user_id = :user)",
        tenant=fort.cast.tenant_id,
        user=fort.cast.tester.id,
    )
    return fort.cast.tester


async def test_a_custom_probe_works_with_a_model_of_the_tenants(fort: Fort) -> None:
    model_id = await fort.put_in_model("acme/judge")
    body = {"name": "Judge", "scanner_type": "llm", "model_id": model_id, "model_config_data": {"policy": POLICY}}
    made = (await fort.call("POST", "/custom-probe", 201, json=body))["probe"]
    assert (made["model_uri"], made["model_id"], made["probe_type"]) == ("acme/judge", model_id, "custom")
    await fort.call("POST", "/custom-probe", 404, json={**body, "model_id": str(uuid4())})
    await fort.call("POST", "/custom-probe", 422, json={**body, "scanner_type": "classifier"})
    heads = {"head_mappings": [{"head_name": "default", "target_labels": ["BAD"]}]}
    path = f"/custom-probe/{made['id']}"
    changed = await fort.call("PUT", path, json={"name": "Labels", "model_config_data": heads})
    assert changed["probe"]["model_config_json"]["head_mappings"][0]["target_labels"] == ["BAD"]
    assert [one["name"] for one in (await fort.get("/custom-probes"))["probes"]] == ["Labels"]
    assert (await fort.get("/custom-probes", person=fort.cast.other_admin))["probes"] == []
    await fort.call("DELETE", path, 404, fort.cast.other_admin)
    await fort.call("DELETE", path)
    assert (await fort.get("/custom-probes"))["total_record"] == 0


async def test_a_policy_becomes_a_probe_in_three_steps(fort: Fort) -> None:
    path = "/guardrails/custom-probe-workflow"
    first = await fort.bench.post(path, step_number=1, workflow_total_steps=3, probe_type_option="llm_policy")
    workflow_id, steps = first["workflow_id"], first["workflow_steps"]
    assert (steps["model_uri"], steps["handler"]) == ("openai/gpt-oss-safeguard-20b", "gpt_safeguard")
    early = {"step_number": 2, "workflow_id": workflow_id, "policy": POLICY, "trigger_workflow": True}
    await fort.bench.post(path, 422, **early)
    skipped = await fort.bench.post(path, 400, step_number=3, workflow_id=workflow_id, name="Too early")
    assert "Step 2 comes first: it says policy" in skipped["message"]
    await fort.bench.post(path, 422, step_number=2, workflow_id=workflow_id, policy={**POLICY, "violations": []})
    await fort.bench.post(path, step_number=2, workflow_id=workflow_id, policy=POLICY)
    last: Json = {"name": "No advice", "description": "x", "guard_types": ["output"]}
    done = await fort.bench.post(path, step_number=3, workflow_id=workflow_id, trigger_workflow=True, **last)
    assert (done["status"], done["workflow_steps"]["workflow_execution_status"]["status"]) == ("completed", "success")
    probe = (await fort.get(f"/probe/{done['workflow_steps']['probe_id']}", include_rules=True))["probe"]
    assert (probe["name"], probe["scanner_types"]) == ("No advice", ["llm"])
    [rule] = probe["rules"]
    assert (rule["guard_types"], rule["modality_types"]) == (["output"], ["text"])
    assert rule["model_config_json"]["policy"]["task"] == POLICY["task"]


async def test_the_catalogue_makes_changes_and_removes(fort: Fort, tmp_path: Path) -> None:
    bench, whole = fort.bench, json.loads(BUNDLED.read_text())
    again = await sync_from(bench.database, Outgoing(), None)
    assert sum(value for value in again.model_dump().values() if isinstance(value, int)) == 0
    changed = {**whole, "probes": whole["probes"][:3]}
    changed["probes"][2]["rules"] = changed["probes"][2]["rules"][:1]
    changed["probes"][2]["name"] = "Private data"
    changed["probes"].append(
        {**whole["probes"][0], "uri": "x", "provider": "nobody", "rules": [{"name": "r", "uri": "x.r"}]}
    )
    changed["probes"].append({**changed["probes"][-1], "uri": "y", "provider": "huggingface"})
    changed["probes"][-1]["rules"] = [{"name": "r", "uri": "y.r"}]
    file = tmp_path / "catalog.json"
    file.write_text(json.dumps(changed))
    report = await sync_from(bench.database, Outgoing(), str(file))
    assert (report.probes_changed, report.rules_removed, report.probes_removed) == (1, 4, 3)
    assert report.skipped == ["x", "y"]
    names = [one["name"] for one in (await fort.get("/probes"))["probes"]]
    assert names == ["Azure content safety", "OpenAI moderation", "Private data"]
    reports = await asyncio.gather(*(sync_from(bench.database, Outgoing(), None) for _ in range(3)))
    assert sum(one.probes_changed for one in reports) == 4
    assert len((await fort.get("/probes"))["probes"]) == 6


@pytest.mark.parametrize(
    ("whole", "where"),
    [
        ({"version": "1", "probes": []}, "probes"),
        ([], "top level"),
        ({"version": "1", "probes": [{"name": "a"}]}, "probes.0.uri"),
    ],
)
async def test_a_catalogue_with_a_mistake_changes_nothing(fort: Fort, tmp_path: Path, whole: Any, where: str) -> None:
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(whole))
    with pytest.raises(BadRequest) as refused:
        await sync_from(fort.bench.database, Outgoing(), str(file))
    assert where in refused.value.text
    with pytest.raises(BadRequest):
        await sync_from(fort.bench.database, Outgoing(), str(tmp_path / "missing.json"))
    with pytest.raises(Unavailable):
        await sync_from(fort.bench.database, components_of(fort.bench.app)[Outgoing], "http://127.0.0.1:1/c.json")
    assert len((await fort.get("/probes"))["probes"]) == 6


async def test_reads_cost_few_statements(fort: Fort, statements: Statements) -> None:
    pii = fort.probes["Personal data"]["id"]
    paths = ("/probes", f"/probe/{pii}?include_rules=true", f"/probe/{pii}/rules", "/probes/tags", "/custom-probes")
    for path in paths:
        await fort.get(path)
        statements.clear()
        await fort.get(path)
        assert len(statements) <= 3, path
