"""What the steps of pipelines can do, as budpipeline's stand-in knows it."""

from collections.abc import Mapping
from typing import Any

from fastapi import HTTPException

Fields = dict[str, Any]


def _parameter(name: str, kind: str = "string", *, required: bool = True, **more: Any) -> Fields:
    return {"name": name, "label": name.replace("_", " ").capitalize(), "type": kind, "required": required, **more}


def _action(kind: str, category: str, description: str, params: list[Fields], **more: Any) -> Fields:
    return {
        "type": kind,
        "version": "1.0.0",
        "name": kind.replace("_", " ").capitalize(),
        "description": description,
        "category": category,
        "icon": "box",
        "color": "#965CDE",
        "params": params,
        "outputs": [{"name": "success", "type": "boolean", "description": "Whether it worked"}],
        "executionMode": "sync",
        "timeoutSeconds": 300,
        "retryPolicy": {"maxAttempts": 3, "backoffMultiplier": 2.0, "initialIntervalSeconds": 1.0},
        "idempotent": False,
        "requiredServices": ["budapp"],
        "requiredPermissions": [],
        "examples": [],
        "docsUrl": None,
        **more,
    }


_MODEL, _CLUSTER = _parameter("model_id", "model_ref"), _parameter("cluster_id", "cluster_ref", required=False)

ACTIONS: dict[str, Fields] = {
    action["type"]: action
    for action in (
        _action(
            "log",
            "Control Flow",
            "Note a message in the execution",
            [
                _parameter("message", placeholder="What to note", validation={"maxLength": 1000}),
                _parameter(
                    "level",
                    "select",
                    required=False,
                    default="info",
                    options=[{"value": "info", "label": "Info"}, {"value": "warning", "label": "Warning"}],
                ),
            ],
            idempotent=True,
            requiredServices=[],
        ),
        _action(
            "delay", "Control Flow", "Wait", [_parameter("seconds", "number", validation={"min": 0, "max": 86400})]
        ),
        _action(
            "model_add",
            "Model",
            "Add a model",
            [_parameter("model_uri"), _parameter("model_name"), _parameter("model_source", required=False)],
            executionMode="event_driven",
            requiredPermissions=["model:manage"],
        ),
        _action("model_delete", "Model", "Delete a model", [_MODEL], requiredPermissions=["model:manage"]),
        _action(
            "model_benchmark",
            "Model",
            "Benchmark a model",
            [_MODEL, _parameter("cluster_id", "cluster_ref"), _parameter("hostnames", "json")],
            executionMode="event_driven",
            requiredPermissions=["benchmark:manage"],
        ),
        _action(
            "deployment_create",
            "Deployment",
            "Deploy a model",
            [_MODEL, _parameter("project_id", "project_ref"), _parameter("endpoint_name"), _CLUSTER],
            executionMode="event_driven",
            requiredPermissions=["endpoint:manage"],
        ),
        _action(
            "deployment_delete",
            "Deployment",
            "Delete a deployment",
            [_parameter("endpoint_id", "endpoint_ref")],
            executionMode="event_driven",
            requiredPermissions=["endpoint:manage"],
        ),
        _action(
            "deployment_autoscale",
            "Deployment",
            "Change how a deployment scales by itself",
            [_parameter("endpoint_id", "endpoint_ref"), _parameter("budaiscaler_specification", "json")],
            requiredPermissions=["endpoint:manage"],
        ),
        _action(
            "deployment_ratelimit",
            "Deployment",
            "Limit how often a deployment may be called",
            [
                _parameter("endpoint_id", "endpoint_ref"),
                *(
                    _parameter(f"requests_per_{span}", "number", required=False)
                    for span in ("second", "minute", "hour")
                ),
            ],
            requiredPermissions=["endpoint:manage"],
        ),
        _action(
            "simulation_run",
            "Deployment",
            "Look for clusters that suit a model",
            [_MODEL, _parameter("input_tokens", "number", required=False)],
            executionMode="event_driven",
            requiredPermissions=["cluster:view"],
        ),
        _action(
            "http_request",
            "Integration",
            "Call an address",
            [
                _parameter("url"),
                _parameter("method", required=False, default="GET"),
                _parameter("body", "json", required=False, visibleWhen={"param": "method", "equals": "POST"}),
            ],
            requiredServices=[],
        ),
    )
}


def listed() -> Fields:
    """Return all actions, also by their categories."""
    names = dict.fromkeys(action["category"] for action in ACTIONS.values())
    categories = [
        {"name": name, "icon": "folder", "actions": [one for one in ACTIONS.values() if one["category"] == name]}
        for name in names
    ]
    return {"actions": list(ACTIONS.values()), "categories": categories, "total": len(ACTIONS)}


def one(action_type: str) -> Fields:
    """Return an action, or answer 404."""
    if action_type not in ACTIONS:
        raise HTTPException(404, f"Action not found: {action_type}")
    return ACTIONS[action_type]


def parameter_errors(action_type: str, params: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with an action's parameters."""
    action = ACTIONS.get(action_type)
    if action is None:
        return [f"Unknown action type: {action_type}"]
    required = (each["name"] for each in action["params"] if each["required"])
    return [f"Missing required parameter: {name}" for name in required if params.get(name) in {None, ""}]


def dag_verdict(dag: Mapping[str, Any]) -> Fields:
    """Return what is wrong with a DAG."""
    steps = [step for step in dag.get("steps") or [] if isinstance(step, dict)]
    ids = {step.get("id") for step in steps}
    errors = [] if steps else ["A pipeline needs at least one step"]
    errors += [f"Duplicate step id: {one}" for one in ids if [step.get("id") for step in steps].count(one) > 1]
    for step in steps:
        missing = [other for other in step.get("depends_on") or [] if other not in ids]
        errors += [f"Step {step.get('id')} depends on unknown step {other}" for other in missing]
        if step.get("action") not in ACTIONS:
            errors.append(f"Step {step.get('id')}: unknown action {step.get('action')}")
    cycles = ordered(steps) is None
    if cycles:
        errors.append("The pipeline has a cycle")
    warnings = [f"Step {step['id']} has no name" for step in steps if step.get("id") and not step.get("name")]
    known = {"errors": errors, "warnings": warnings, "step_count": len(steps), "has_cycles": cycles}
    return {"valid": not errors, **known}


def ordered(steps: list[Fields]) -> list[Fields] | None:
    """Return the steps in an order in which each comes after those that it depends on; None where there is none."""
    ids = {step.get("id") for step in steps}
    done: set[Any] = set()
    found: list[Fields] = []
    rest = list(steps)
    while rest:
        ready = [step for step in rest if set(step.get("depends_on") or []) & ids <= done]
        if not ready:
            return None
        found += ready
        done |= {step.get("id") for step in ready}
        rest = [step for step in rest if step not in ready]
    return found
