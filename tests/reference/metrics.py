"""Every metric of the service."""

import importlib

from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from tests.reference.markdown import code, page, table

_LEAD = """
What `/metrics` says in the text format of Prometheus. A histogram has `_bucket`, `_sum` and `_count`. The metrics of
prometheus-client for the process (`process_*`) and the interpreter (`python_*`) come on top.
[Operations](../operations.md#health) says which of them to watch, `deploy/observability` has alerts and a dashboard.
"""


def render() -> str:
    """Return the page."""
    importlib.import_module("budapp.main")  # with it, all modules that have metrics
    own = [collector for collector in REGISTRY._collector_to_names if isinstance(collector, MetricWrapperBase)]
    return page("Metrics", _LEAD, table(["metric", "type", "labels", "meaning"], sorted(map(_row, own))))


def _row(collector: MetricWrapperBase) -> list[str]:
    (described,) = collector.describe()
    name = described.name + ("_total" if described.type == "counter" else "")
    labels = ", ".join(map(code, collector._labelnames))
    return [code(name), described.type, labels, described.documentation]
