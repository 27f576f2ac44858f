"""Columns of clusters that other domains show too."""

from typing import Any

from sqlalchemy import ColumnElement, case, func
from sqlalchemy.dialects.postgresql import array

from budapp.cluster_ops.models import Cluster

HARDWARE = {"CPU": Cluster.cpu_count, "GPU": Cluster.gpu_count, "HPU": Cluster.hpu_count}


def hardware() -> ColumnElement[Any]:
    """Return the kinds of processors that the cluster has, as a list."""
    kinds: list[ColumnElement[Any]] = [case((count > 0, kind)) for kind, count in HARDWARE.items()]
    return func.array_remove(array(kinds), None)
