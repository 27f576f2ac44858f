"""Drives a server with wrk."""

import json
import os
import shutil
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import Server

_SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True)
class Load:
    """How hard to press."""

    connections: int
    seconds: int


@dataclass(frozen=True)
class Figures:
    """What came of it: requests per second, milliseconds, and the server's own processor milliseconds a request."""

    rps: float
    p50: float
    p99: float
    cpu: float


def wrk_path() -> str | None:
    return shutil.which("wrk")


def drive(server: Server, path: str, token: str, load: Load, names: str | None = None) -> Figures:
    """Press on the path; with `names`, post projects whose names begin with it.

    Raises:
        RuntimeError: not every request was answered with success.
    """
    command = ["wrk", "-t1", f"-c{load.connections}", f"-d{load.seconds}s", "--timeout=10s", "-s", str(_SCRIPT)]
    command += ["-H", f"Authorization: Bearer {token}", f"{server.url}{path}"]
    env = {**os.environ, "BENCH_NAMES": names} if names else None
    before = server.cpu_seconds()
    output = subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout
    found = json.loads(output.strip().splitlines()[-1])
    if found["failed"] or found["late"] or not found["requests"]:
        counts = f"{found['failed']} failed and {found['late']} were not answered in time"
        raise RuntimeError(f"Of {found['requests']} requests to {path}, {counts}")
    cpu = (server.cpu_seconds() - before) / found["requests"] * 1000
    return Figures(found["requests"] / found["seconds"], found["p50"], found["p99"], cpu)


def median(rounds: list[Figures]) -> Figures:
    """Return the median of each figure."""
    return Figures(*(statistics.median(getattr(one, name) for one in rounds) for name in ("rps", "p50", "p99", "cpu")))
