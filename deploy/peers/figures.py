"""Figures of requests, in the words of budmetrics."""

from collections.abc import Callable, Sequence
from typing import Any

from peers.traffic import Inference


def mean(values: Sequence[float]) -> float:
    """Return the mean; 0 of nothing."""
    return round(sum(values) / len(values), 4) if values else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which the share lies; 0 of nothing."""
    ordered = sorted(values)
    return round(float(ordered[min(len(ordered) - 1, int(share * len(ordered)))]), 4) if ordered else 0.0


def percent(part: int, whole: int) -> float:
    """Return how many in a hundred."""
    return round(100 * part / whole, 4) if whole else 0.0


def _latency(rows: Sequence[Inference]) -> list[float]:
    return [float(one.latency_ms) for one in rows]


def _ttft(rows: Sequence[Inference]) -> list[float]:
    return [float(one.ttft_ms) for one in rows]


def _tokens(rows: Sequence[Inference]) -> int:
    return sum(one.input_tokens + one.output_tokens for one in rows)


def _succeeded(rows: Sequence[Inference]) -> int:
    return sum(one.success for one in rows)


def _costs(rows: Sequence[Inference]) -> list[float]:
    return [one.cost for one in rows]


AGGREGATES: dict[str, tuple[Callable[[Sequence[Inference]], float], str]] = {
    "total_requests": (len, "requests"),
    "success_rate": (lambda rows: percent(_succeeded(rows), len(rows)), "%"),
    "avg_latency": (lambda rows: mean(_latency(rows)), "ms"),
    "p95_latency": (lambda rows: percentile(_latency(rows), 0.95), "ms"),
    "p99_latency": (lambda rows: percentile(_latency(rows), 0.99), "ms"),
    "total_tokens": (_tokens, "tokens"),
    "total_input_tokens": (lambda rows: sum(one.input_tokens for one in rows), "tokens"),
    "total_output_tokens": (lambda rows: sum(one.output_tokens for one in rows), "tokens"),
    "avg_tokens": (lambda rows: _tokens(rows) / len(rows) if rows else 0.0, "tokens"),
    "total_cost": (lambda rows: round(sum(_costs(rows)), 8), "$"),
    "avg_cost": (lambda rows: round(sum(_costs(rows)) / len(rows), 8) if rows else 0.0, "$"),
    "ttft_avg": (lambda rows: mean(_ttft(rows)), "ms"),
    "ttft_p95": (lambda rows: percentile(_ttft(rows), 0.95), "ms"),
    "ttft_p99": (lambda rows: percentile(_ttft(rows), 0.99), "ms"),
    "cache_hit_rate": (lambda rows: percent(sum(one.cached for one in rows), len(rows)), "%"),
    "throughput_avg": (lambda rows: mean([one.throughput for one in rows]), "tokens/s"),
    "error_rate": (lambda rows: percent(len(rows) - _succeeded(rows), len(rows)), "%"),
    "unique_users": (lambda rows: len({one.source.user_id for one in rows}), "users"),
    "p95_inference_cost": (lambda rows: percentile(_costs(rows), 0.95), "$"),
    "max_inference_cost": (lambda rows: max(_costs(rows), default=0.0), "$"),
    "min_inference_cost": (lambda rows: min(_costs(rows), default=0.0), "$"),
}
SERIES: dict[str, Callable[[Sequence[Inference]], float]] = {
    "requests": len,
    "tokens": _tokens,
    "cost": AGGREGATES["total_cost"][0],
    "throughput": AGGREGATES["throughput_avg"][0],
    "success_count": _succeeded,
    "error_count": lambda rows: len(rows) - _succeeded(rows),
    **{
        name: AGGREGATES[name][0]
        for name in (
            *("success_rate", "avg_latency", "p95_latency", "p99_latency", "ttft_avg", "cache_hit_rate"),
            *("error_rate", "unique_users"),
        )
    },
}


def aggregated(names: Sequence[str], rows: Sequence[Inference]) -> dict[str, Any]:
    """Return the figures of `observability/metrics/aggregated`."""
    found = {}
    for name in names:
        reckon, unit = AGGREGATES[name]
        value = reckon(rows)
        found[name] = {"value": value, "formatted_value": f"{value:g} {unit}", "unit": unit}
    return found


def _performance(values: Sequence[float]) -> dict[str, Any]:
    return {"avg": mean(values), "p99": percentile(values, 0.99), "p95": percentile(values, 0.95)}


def _count(rows: Sequence[Inference], number: int) -> dict[str, Any]:
    return {"count": number, "rate": percent(number, len(rows))}


ANALYTICS: dict[str, tuple[Callable[[Sequence[Inference]], dict[str, Any]], str]] = {
    "request_count": (lambda rows: {"count": len(rows)}, "count"),
    "success_request": (lambda rows: _count(rows, _succeeded(rows)), "count"),
    "failure_request": (lambda rows: _count(rows, len(rows) - _succeeded(rows)), "count"),
    "queuing_time": (lambda rows: {"avg_time_ms": mean([float(one.queuing_ms) for one in rows])}, "avg_time_ms"),
    "input_token": (lambda rows: {"count": sum(one.input_tokens for one in rows)}, "count"),
    "output_token": (lambda rows: {"count": sum(one.output_tokens for one in rows)}, "count"),
    "concurrent_requests": (lambda rows: {"count": max((one.concurrency for one in rows), default=0)}, "count"),
    "ttft": (lambda rows: _performance(_ttft(rows)), "avg"),
    "latency": (lambda rows: _performance(_latency(rows)), "avg"),
    "throughput": (lambda rows: _performance([one.throughput for one in rows]), "avg"),
    "cache": (
        lambda rows: {
            "hit_rate": percent(sum(one.cached for one in rows), len(rows)),
            "hit_count": sum(one.cached for one in rows),
        },
        "hit_rate",
    ),
}
"""Metric → how it is reckoned, and which of its members its change is about."""


def with_change(name: str, figure: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    """Return the figure with how it has changed since the period before."""
    main = ANALYTICS[name][1]
    if before is None:
        return {**figure, "delta": None, "delta_percent": None}
    delta = figure[main] - before[main]
    share = round(100 * delta / before[main], 2) if before[main] else None
    return {**figure, "delta": round(delta, 4), "delta_percent": share}
