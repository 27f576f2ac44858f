"""supervisord: its configuration, and talking to it over its socket in the state folder."""

import http.client
import os
import shlex
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import processes
from .console import StackError, Stopwatch, last_lines, say
from .files import digest, write_private
from .parts.part import Part
from .settings import ROOT, Settings, clean_environment, shown

RUNNING, STARTING, FATAL = "RUNNING", "STARTING", "FATAL"
_SOCKET = "supervisor.sock"
_START_SECONDS = 15
_SHUTDOWN_SECONDS = 60
_MAIN = "import sys; sys.path.insert(0, sys.argv.pop(1)); from supervisor.supervisord import main; main()"


class _Connection(http.client.HTTPConnection):
    """HTTP over the socket, reached through its folder: a socket's own path may not exceed 107 bytes."""

    def __init__(self, folder: Path) -> None:
        super().__init__("localhost", timeout=_SHUTDOWN_SECONDS)
        self._folder = folder

    def connect(self) -> None:
        """Open the connection."""
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(f"/proc/self/fd/{descriptor}/{_SOCKET}")
        finally:
            os.close(descriptor)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        """Return a new connection; supervisord closes each after its answer."""
        return _Connection(self._folder)


class Supervisor:
    """The supervisor of one stack."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._state = settings.state
        self._calls = xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(settings.state))

    def call(self, method: str, *arguments: object) -> Any:
        """Call a method of supervisord's XML-RPC interface.

        Raises:
            OSError: it does not run.
        """
        return getattr(self._calls.supervisor, method)(*arguments)

    def pid(self) -> int | None:
        """Return its process id, or None where it does not run."""
        try:
            return int(self.call("getPID"))
        except (OSError, http.client.HTTPException):
            return None

    def start(self, packages: Path) -> None:
        """Start it in the background, in a session of its own so that a Ctrl-C here does not reach it."""
        log = self._settings.logs / "supervisord.out"
        options = ["--nodaemon", f"--configuration={self._state / 'supervisord.conf'}"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", _MAIN, str(packages), *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._state,
                env={**clean_environment(), processes.STATE_VARIABLE: str(self._state)},
                start_new_session=True,
            )
        watch = Stopwatch()
        while self.pid() != process.pid:
            if process.poll() is not None or watch.seconds > _START_SECONDS:
                raise StackError(f"The supervisor did not start. {shown(log)} says:\n{last_lines(log)}")
            time.sleep(0.05)

    def shut_down(self) -> bool:
        """Stop it and all its processes; return whether it ran."""
        pid = self.pid()
        if pid is None:
            return False
        self.call("shutdown")
        if not processes.wait_until_gone([pid], _SHUTDOWN_SECONDS):
            say("The supervisor takes too long to stop; ending it by force.")
        return True

    def configure(self, parts: Iterable[Part]) -> None:
        """Write its configuration."""
        write_private(self._state / "supervisord.conf", _configuration(self._settings, list(parts)))

    def apply_configuration(self) -> None:
        """Let a running supervisor take up a changed configuration; parts that it changes for are stopped."""
        added, changed, removed = self.call("reloadConfig")[0]
        for name in [*changed, *removed]:
            self.call("stopProcessGroup", name)
            self.call("removeProcessGroup", name)
        for name in [*added, *changed]:
            self.call("addProcessGroup", name)

    def info(self, part: Part) -> dict[str, Any]:
        """Return what supervisord knows about a part's process."""
        return dict(self.call("getProcessInfo", part.name))

    def infos(self) -> list[dict[str, Any]]:
        """Return what supervisord knows about all processes."""
        return list(self.call("getAllProcessInfo"))

    def state_of(self, part: Part) -> str:
        """Return the state of a part's process, as supervisord names it."""
        return str(self.info(part)["statename"])

    def start_part(self, part: Part) -> None:
        """Start a part without waiting for it."""
        try:
            self.call("startProcess", part.name, False)
        except xmlrpc.client.Fault as fault:
            raise StackError(f"{part.title} can't be started: {fault.faultString}. --build makes it again.") from fault

    def stop_part(self, part: Part) -> None:
        """Stop a part and wait for its end."""
        try:
            self.call("stopProcess", part.name)
        except xmlrpc.client.Fault as fault:
            if "NOT_RUNNING" not in fault.faultString:
                raise


def _configuration(settings: Settings, parts: list[Part]) -> str:
    lines = [
        "; Written anew at each start.",
        "[unix_http_server]",
        # Through the working folder, for the same reason as in _Connection.
        f"file=/proc/self/cwd/{_SOCKET}",
        "chmod=0700",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
        "[supervisord]",
        f"logfile={_value(settings.logs / 'supervisord.log')}",
        f"pidfile={_value(settings.state / 'supervisord.pid')}",
        f"childlogdir={_value(settings.logs)}",
        "silent=true",
        *(["user=root"] if os.geteuid() == 0 else []),
    ]
    for priority, part in enumerate(parts, 1):
        lines += _program(settings, part, priority)
    return "\n".join(lines) + "\n"


def _program(settings: Settings, part: Part, priority: int) -> list[str]:
    environment = {**part.environment, "BUDAPP_PART_VERSION": digest(part.version)}
    pairs = (f'{name}="{_variable(name, value)}"' for name, value in environment.items())
    return [
        f"[program:{part.name}]",
        f"command={_value(shlex.join(str(word) for word in part.command))}",
        f"directory={_value(ROOT)}",
        f"environment={','.join(pairs)}",
        f"priority={priority}",
        "autostart=false",
        "autorestart=true",
        "startsecs=1",
        "startretries=3",
        f"stopsignal={part.stop_signal}",
        "stopwaitsecs=20",
        "killasgroup=true",
        "redirect_stderr=true",
        f"stdout_logfile={_value(settings.logs / f'{part.name}.log')}",
        "stdout_logfile_maxbytes=10MB",
        "stdout_logfile_backups=1",
    ]


def _value(value: object) -> str:
    return str(value).replace("%", "%%")


def _variable(name: str, value: str) -> str:
    """Return a value as it may stand between double quotes; supervisord knows no escapes there."""
    if '"' in value or "\n" in value or " ;" in value or " #" in value:
        raise StackError(f"{name} holds a character that the supervisor can't be given: \" or ' ;' or ' #'.")
    return _value(value)
