"""The two servers that are measured, each a process of its own with one worker."""

import os
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.floor import PLAN, Plan
from budapp.commons.config import Settings

_START_SECONDS = 120
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A server that is running."""

    url: str
    pid: int

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used so far (`man 5 proc`)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND

    def memory_megabytes(self) -> int:
        """Return how much of the machine's memory it holds."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") // 1_000_000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def floor_running(plan: Plan, folder: Path) -> Iterator[Server]:
    """Serve the floor."""
    path = folder / "plan"
    path.write_bytes(pickle.dumps(plan))
    with _running(
        ["-m", "benchmarks.floor", str(plan.port)], {PLAN: str(path)}, plan.port, folder / "floor.log"
    ) as server:
        yield server


@contextmanager
def budapp_running(settings: Settings, folder: Path) -> Iterator[Server]:
    """Serve budapp as in production, its log in a file."""
    env = {
        "APP_HOST": "127.0.0.1",
        "APP_PORT": str(settings.app_port),
        "APP_WORKERS": "1",
        "LOG_LEVEL": "INFO",
        "APP_TOPIC": settings.app_topic,
        "PSQL_DB_NAME": settings.psql_db_name,
        "DEFAULT_REALM_NAME": settings.default_realm_name,
        "KEYCLOAK_MIRROR_SECONDS": str(settings.keycloak_mirror_seconds),
    }
    with _running(["-m", "budapp.cli", "serve"], env, settings.app_port, folder / "budapp.log") as server:
        yield server


@contextmanager
def _running(arguments: list[str], env: dict[str, str], port: int, log: Path) -> Iterator[Server]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments], env={**os.environ, **env}, stdout=output, stderr=output
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(process, url, log)
        yield Server(url, process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{url}/livez")
        except httpx.TransportError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"A server did not start:\n{log.read_text()[-2000:]}")
