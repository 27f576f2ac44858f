from budapp.commons.config import Settings
from tests.clusters.surface import bud_cluster_id
from tests.stack import address_of, http_client
from tests.surface.share import RequestContext, Share, Things, Valid


async def _known(_context: RequestContext) -> None:
    """Have the stand-ins know the clusters of both tenants."""
    async with http_client(address_of("budcluster")) as http:
        for realm in (0, 1):
            answer = await http.post("/control/clusters", json={"id": str(bud_cluster_id(realm))})
            assert answer.status_code == 200, answer.text


async def _seed(_context: object) -> Things:
    return {"hostname": "node-1", "node_hostname": "node-1"}


async def _with_dashboard(context: RequestContext) -> None:
    context.component(Settings).grafana_cluster_url = "https://grafana.example.com/d/cluster?var-id={cluster_id}"


_ONE, _BOTH = "/clusters/{cluster_id}", ("/clusters/{cluster_id}", "/clusters/clusters/{cluster_id}")
_OF_NODE = f"{_ONE}/nodes/{{hostname}}/metrics"
_READ = Valid(prepare=_known)
_PERIOD = {"from_time": "2026-01-01T00:00:00Z", "to_time": "2026-01-01T01:00:00Z"}

share = Share(
    "cluster_metric_ops",
    seed=_seed,
    requests={
        **{f"GET {_ONE}/{what}": _READ for what in ("metrics", "node-metrics", "metrics/gpu", "storage-classes")},
        f"GET {_ONE}/node-events/{{node_hostname}}": _READ,
        **{f"GET {_OF_NODE}/{what}": _READ for what in ("gpu", "gpu/timeseries", "cpu/timeseries")},
        **{f"GET {path}/metrics/{what}": _READ for path in _BOTH for what in ("summary", "nodes", "pods")},
        f"GET {_BOTH[1]}/metrics/health": _READ,
        f"GET {_ONE}/grafana-dashboard": Valid(prepare=_with_dashboard),
        f"POST {_BOTH[1]}/metrics/query": Valid(lambda t: _PERIOD, prepare=_known),
    },
    changes_nothing={f"POST {_BOTH[1]}/metrics/query": "only looks"},
)
