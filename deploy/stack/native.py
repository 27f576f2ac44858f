"""The stack run natively: install, start in order, wait until ready, watch, stop."""

import http.client
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from . import processes, python_env, supervise
from . import settings as configuration
from .console import StackError, Stopwatch, last_lines, say
from .files import locked
from .parts import apps, dapr, postgres, servers
from .parts.part import Part
from .settings import ROOT, Settings, clean_environment, shown
from .supervise import Supervisor
from .toolbox import Tools, install

_POLL_SECONDS = 0.15
_WATCH_SECONDS = 2
_STARTS = 3


@dataclass(frozen=True)
class Plan:
    """The parts of a stack; the stand-ins need nothing of the servers to start, and start with them."""

    servers: list[Part]
    stand_ins: list[Part]
    budapp: Part

    @property
    def all(self) -> list[Part]:
        """Every part."""
        return [*self.servers, *self.stand_ins, self.budapp]


def plan(settings: Settings, tools: Tools) -> Plan:
    """Return the parts of a stack.

    budapp's sidecar is among the servers: budapp may read settings through it when it starts.
    """
    first = [
        postgres.postgres(settings, tools),
        servers.valkey(settings, tools),
        servers.minio(settings, tools),
        servers.keycloak(settings, tools),
        dapr.sidecar(settings, tools, "budapp", "APP_ID"),
    ]
    stand_ins: list[Part] = []
    for name, app_id in apps.PEERS.items():
        peer = apps.peer(settings, name)
        stand_ins.append(peer)
        if app_id is not None:
            stand_ins.append(dapr.sidecar(settings, tools, name, app_id, f"{name.upper()}_", peer.version))
    return Plan(first, stand_ins, apps.budapp(settings))


@dataclass
class Run:
    """What one call of the start script started, so that Ctrl-C stops that and nothing else."""

    settings: Settings
    supervisor: Supervisor
    launched_supervisor: bool = False
    started: list[Part] = field(default_factory=list)

    def undo(self) -> None:
        """Stop what this run started."""
        if self.launched_supervisor:
            stop(self.settings)
            return
        for part in reversed(self.started):
            say(f"Stopping {part.title}")
            self.supervisor.stop_part(part)
        self.started.clear()


@contextmanager
def exclusive(settings: Settings) -> Iterator[None]:
    """Let one start or stop of a stack work at a time."""
    settings.logs.mkdir(parents=True, exist_ok=True)
    with locked(settings.state / "lock", f"another start or stop of the {settings.name}"):
        yield


def up(run: Run, *, infra_only: bool, again: bool) -> Tools:
    """Bring the stack up; what runs already with the same configuration is left as it is."""
    _check_platform()
    settings = run.settings
    shop = python_env.Workshop(configuration.cache_folder(), settings.logs, again)
    tools = install(shop, with_project=not infra_only)
    chosen = plan(settings, tools)
    _supervise(run, chosen, tools)
    _start(run, chosen.servers if infra_only else [*chosen.servers, *chosen.stand_ins])
    if not infra_only:
        _one_shot(settings, "migrate", "Database migrated")
        _one_shot(settings, "seed", "First data in place")
        _start(run, [chosen.budapp])
    return tools


def stop(settings: Settings) -> bool:
    """Stop the stack, and what a crashed supervisor left behind; return whether there was anything."""
    ran = Supervisor(settings).shut_down()
    return _end_leftovers(settings) or ran


def _check_platform() -> None:
    if sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"}:
        raise StackError("Without Docker the stack runs on Linux (x86-64 or arm64) only. Install Docker and try again.")
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        raise StackError("PostgreSQL refuses to run as root, and there is no setpriv (util-linux) to run it otherwise.")


def _end_leftovers(settings: Settings) -> bool:
    leftovers = processes.of_stack(settings.state)
    if leftovers:
        say(f"Ending {len(leftovers)} processes that a crashed run left behind")
        processes.stop(leftovers)
    return bool(leftovers)


def _supervise(run: Run, chosen: Plan, tools: Tools) -> None:
    """See to it that a supervisor runs with the present configuration."""
    run.supervisor.configure(chosen.all)
    if run.supervisor.pid() is None:
        _end_leftovers(run.settings)
        run.launched_supervisor = True
        run.supervisor.start(tools.supervisor)
    else:
        run.supervisor.apply_configuration()


def _one_shot(settings: Settings, command: str, done: str) -> None:
    watch = Stopwatch()
    environment = {**clean_environment(), **apps.budapp_environment(settings)}
    log = settings.logs / f"{command}.log"
    processes.run(f"budapp {command}", [*apps.BUDAPP_COMMAND, command], log, cwd=ROOT, env=environment)
    say(f"{done} {watch}")


def _start(run: Run, parts: Sequence[Part]) -> None:
    """Start parts together and wait until each is ready."""
    waiting = []
    for part in parts:
        state = run.supervisor.state_of(part)
        if state == supervise.RUNNING and part.ready():
            say(f"{part.title} ready (was running)")
            continue
        if state != supervise.RUNNING:
            _launch(run, part)
        waiting.append(Attempt(run, part))
    while waiting:
        waiting = [attempt for attempt in waiting if not attempt.finished()]
        time.sleep(_POLL_SECONDS)


def _launch(run: Run, part: Part) -> None:
    run.supervisor.stop_part(part)
    for variable, port in part.ports.items():
        if not processes.port_is_free(port):
            raise StackError(
                f"{part.title} can't have port {port}: it is taken by {processes.port_holder(port)}.\n"
                f"Stop that, or set {variable} to another port in {shown(run.settings.env_file)}."
            )
    part.prepare()
    run.started.append(part)
    run.supervisor.start_part(part)


class Attempt:
    """A part on its way to being ready."""

    def __init__(self, run: Run, part: Part) -> None:
        self._run, self._part = run, part
        self._watch = Stopwatch()
        self._log = run.settings.logs / f"{part.name}.log"
        self._offset = self._log.stat().st_size if self._log.exists() else 0
        self._pids: set[int] = set()

    def finished(self) -> bool:
        """Return whether the part is ready.

        Raises:
            StackError: it will not be.
        """
        info = self._run.supervisor.info(self._part)
        self._pids.add(int(info["pid"]))
        state = str(info["statename"])
        if state in {supervise.RUNNING, supervise.STARTING} and self._part.ready():
            say(f"{self._part.title} ready {self._watch}")
            return True
        if state == supervise.FATAL or len(self._pids - {0}) > _STARTS:
            raise self._error("does not stay up")
        if self._watch.seconds > self._part.seconds:
            raise self._error(f"is not ready after {self._part.seconds} s")
        return False

    def _error(self, what: str) -> StackError:
        end = last_lines(self._log, offset=self._offset)
        return StackError(f"{self._part.title} {what}. The end of {shown(self._log)}:\n{end}")


def watch_over(run: Run) -> int:
    """Tell what happens to the stack until it ends or the user has enough; return the exit code."""
    seen: dict[str, int] = {}
    while (infos := _infos(run)) is not None:
        for info in infos:
            name, pid = str(info["name"]), int(info["pid"])
            before = seen.setdefault(name, pid)
            if pid not in {0, before}:
                say(f"{name} had stopped and was started again; see {shown(run.settings.logs / f'{name}.log')}")
            elif before and info["statename"] == supervise.FATAL:
                say(f"{name} has stopped and does not stay up; see {shown(run.settings.logs / f'{name}.log')}")
            if pid or info["statename"] == supervise.FATAL:
                seen[name] = pid
        time.sleep(_WATCH_SECONDS)
    if _end_leftovers(run.settings):
        say("The supervisor has died, and the stack with it. Start it again.")
        return 1
    say("The stack was stopped from elsewhere.")
    return 0


def _infos(run: Run) -> list[dict[str, Any]] | None:
    try:
        return run.supervisor.infos()
    except (OSError, http.client.HTTPException):
        return None
