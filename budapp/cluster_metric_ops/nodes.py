"""Puts together what two services say of a cluster's machines."""

from collections.abc import Iterable, Mapping

from budapp.cluster_metric_ops.schemas import Amount, Capacity, Network, NodeView, Pods, SystemInfo
from budapp.integrations.cluster_metrics import Machine, NodeMetrics

_GPUS, _HPUS = frozenset({"gpu", "cuda"}), frozenset({"hpu"})


def node_views(
    machines: Iterable[Machine], measured: Iterable[NodeMetrics], events: Mapping[str, int]
) -> dict[str, NodeView]:
    """Return the machines by name; of what is not measured the figures are null, never zero."""
    by_name = {node.node_name: node for node in measured}
    return {one.name: _view(one, by_name.get(one.name), events.get(one.name, 0)) for one in machines}


def _view(machine: Machine, measured: NodeMetrics | None, events_count: int) -> NodeView:
    kernel = machine.kernel_info
    cores = measured.cpu_cores if measured else machine.core_count
    memory = measured.memory_total_gb if measured else None
    return NodeView(
        id=machine.id,
        hostname=machine.name,
        internal_ip=machine.internal_ip,
        status="Ready" if machine.status else "NotReady",
        system_info=SystemInfo(
            os=(kernel.os_release or kernel.os) if kernel else None,
            kernel=kernel.kernel_version if kernel else None,
            architecture=kernel.architecture if kernel else None,
        ),
        pods=Pods(current=None, max=None),
        cpu=Amount(current=_part(cores, measured.cpu_usage_percent if measured else None), capacity=cores),
        gpu=_devices(machine, _GPUS, measured.gpu_utilization_percent if measured else None),
        hpu=_devices(machine, _HPUS, None),
        memory=Amount(current=measured.memory_used_gb if measured else None, capacity=memory),
        network=Network(bandwidth=measured.network_bandwidth_time_series if measured else []),
        events_count=events_count,
        capacity=Capacity(
            cpu=cores, memory=memory, pods=None, ephemeral_storage=measured.disk_total_gb if measured else None
        ),
        hardware_info=machine.hardware_info,
    )


def _devices(machine: Machine, kinds: frozenset[str], utilization: float | None) -> Amount:
    count = sum(one.count or 0 for one in machine.hardware_info if (one.type or "").lower() in kinds)
    return Amount(current=_part(count, utilization), capacity=count)


def _part(whole: float | None, percent: float | None) -> float | None:
    return None if whole is None or percent is None else round(whole * percent / 100, 3)
