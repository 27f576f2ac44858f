"""The events that clients are told, that other services send, and the topics that they go over."""

from collections.abc import Iterator

from budapp.commons.announcing import Announced
from budapp.commons.config import Settings
from budapp.commons.database import Base
from budapp.domains import DOMAINS
from budapp.integrations.budcluster import STATUS_EVENTS as CLUSTERS
from budapp.integrations.deployment_reports import STATUS_EVENTS as ENDPOINTS
from budapp.workflow_ops.definitions import Definition
from tests.reference.markdown import code, page, table

_TOPICS = ("app_topic", "dead_letter_topic", "workflow_callback_topics")
_LEAD = "How they are delivered: [notifications, live events and webhooks](../events.md)."
_LIVE = """
Sent at `/events` and to webhooks, but for `notification`, which belongs to one person and is never posted. `type` names
one event, or its family: the part before the point.
"""
_WORKFLOWS = """
Other services report their work to budapp with these types, each with a step in `event`, or `eta`, or `results`.
"""
_REPORTS = "Two types belong to no workflow:"


def render() -> str:
    """Return the page."""
    live = table(["event", "object", "tells of", "who may read it"], sorted(_live()))
    topics = table(["topic", "setting", "meaning"], map(_topic, _TOPICS))
    work = table(["workflow", "event types", "list of steps"], sorted(_work()))
    reports = table(
        ["event type", "tells of"], [[code(CLUSTERS), "a cluster's state"], [code(ENDPOINTS), "a deployment's state"]]
    )
    return page(
        "Events",
        *(_LEAD, "## Topics", topics, "## Live events and webhooks", _LIVE, live),
        *("## Events from other services", _WORKFLOWS, work, _REPORTS, reports),
    )


def _live() -> Iterator[list[str]]:
    for mapper in Base.registry.mappers:
        announced = getattr(mapper.class_, "announced", None)
        if isinstance(announced, Announced):
            for event in sorted(announced.events()):
                yield [code(event), code(announced.object_type), _tells(announced, event), _readers(announced)]


def _tells(announced: Announced, event: str) -> str:
    columns = [f"a change of {', '.join(map(code, announced.changed[event]))}"] if event in announced.changed else []
    return " or ".join([*(["a new one"] if event == announced.made else []), *columns])


def _readers(announced: Announced) -> str:
    own = ["its owner"] if announced.owner else []
    more = [code(announced.or_scope.value)] if announced.or_scope else []
    scope = [code(announced.scope.value) + (" in its project" if announced.project else "")] if announced.scope else []
    return ", ".join([*own, *more, *scope])


def _topic(name: str) -> list[str]:
    field = Settings.model_fields[name]
    topics = field.default if isinstance(field.default, list) else [field.default]
    return [", ".join(map(code, topics)), code(name.upper()), str(field.description)]


def _work() -> Iterator[list[str]]:
    for domain in DOMAINS:
        for workflow in domain.workflows:
            assert isinstance(workflow, Definition)
            for task in workflow.tasks:
                if task.events:
                    yield [code(workflow.type), ", ".join(map(code, task.events.types())), code(task.events.key)]
