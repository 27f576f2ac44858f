"""Python's garbage collector, as a process that serves needs it."""

import gc
import time
from collections.abc import Mapping
from typing import Any

from prometheus_client import Counter

_THRESHOLDS = (5_000, 50, 100)
"""Each 1,000 young objects stop the process for some 0.7 ms when they are collected."""

_SECONDS = Counter(
    "python_gc_seconds_total", "Seconds that garbage collections have stopped the process", ["generation"]
)
_started = 0.0


def grow_heap() -> None:
    """Collect nothing until `freeze_heap`: while modules are imported and routes are made, next to nothing dies.

    A process is up in four fifths of the time then.
    """
    gc.disable()


def freeze_heap() -> None:
    """Leave all that is alive now out of later collections, and collect more rarely; call it once, before serving.

    A full collection goes through every object, some 600,000 of them modules, routes, schemas and statements that stay
    for good, and stops the process for a tenth of a second or more: that was the slowest hundredth of all requests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    gc.enable()
    if _count not in gc.callbacks:
        gc.callbacks.append(_count)


def _count(phase: str, info: Mapping[str, Any]) -> None:
    global _started  # noqa: PLW0603 - the collector says when it starts and when it stops, one call each
    if phase == "start":
        _started = time.perf_counter()
    else:
        _SECONDS.labels(info["generation"]).inc(time.perf_counter() - _started)
