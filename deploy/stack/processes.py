"""Running commands with progress, and finding processes by what Linux tells about them in /proc."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .console import StackError, Stopwatch, last_lines, say
from .settings import shown

STATE_VARIABLE = "BUDAPP_STACK_STATE"
_PROGRESS_SECONDS = 20
_STOP_SECONDS = 15
_LISTENING = "0A"
Command = Sequence[str | Path]
_PROC = Path("/proc")
_commands: "set[subprocess.Popen[bytes]]" = set()


def run(
    title: str,
    command: Command,
    log: Path,
    *,
    cwd: Path | None = None,
    extra_env: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a command that may take minutes: output to a log, signs of life on the screen, the log's end on failure."""
    log.parent.mkdir(parents=True, exist_ok=True)
    watch = Stopwatch()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**(os.environ if env is None else env), **(extra_env or {})},
        )
        _commands.add(process)
        try:
            _wait_with_progress(process, title, watch, log)
        finally:
            _commands.discard(process)
            process.send_signal(signal.SIGINT)
    if process.returncode:
        raise StackError(f"{title} failed {watch}. The end of {shown(log)}:\n{last_lines(log)}")


def interrupt_commands() -> None:
    """End what `run` waits for in other threads."""
    for process in list(_commands):
        process.send_signal(signal.SIGINT)


def _wait_with_progress(process: "subprocess.Popen[bytes]", title: str, watch: Stopwatch, log: Path) -> None:
    while True:
        try:
            process.wait(timeout=_PROGRESS_SECONDS)
        except subprocess.TimeoutExpired:
            say(f"  {title}: {watch.seconds:.0f} s  {last_lines(log, 1, if_empty='').strip()[:80]}".rstrip())
        else:
            return


def port_is_free(port: int) -> bool:
    """Return whether a server could listen on 127.0.0.1:port."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def port_holder(port: int) -> str:
    """Describe the process that listens on a port, as far as /proc shows it to this user."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for pid in pids():
        if not inodes.isdisjoint(_open_files(pid)):
            return f"process {pid}: {command_line(pid)}"
    return "a process of another user"


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("net/tcp", "net/tcp6"):
        try:
            rows = (_PROC / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _open_files(pid: int) -> Iterator[str]:
    try:
        for descriptor in (_PROC / str(pid) / "fd").iterdir():
            yield str(descriptor.readlink())
    except OSError:
        return


def pids() -> list[int]:
    """Return all process ids."""
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]


def command_line(pid: int) -> str:
    """Return the start of a process' command line."""
    return _read(pid, "cmdline").replace("\0", " ").strip()[:100]


def is_alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    state = _read(pid, "stat").rpartition(")")[2].split()
    return bool(state) and state[0] not in {"Z", "X"}


def of_stack(state: Path) -> list[int]:
    """Return the processes that were started for the stack with this state folder."""
    mark = f"\0{STATE_VARIABLE}={state}\0"
    return [pid for pid in pids() if mark in f"\0{_read(pid, 'environ')}\0" and is_alive(pid)]


def _read(pid: int, entry: str) -> str:
    try:
        return (_PROC / str(pid) / entry).read_bytes().decode(errors="replace")
    except OSError:
        return ""


def stop(targets: Sequence[int]) -> None:
    """End processes: politely, and by force what has not gone after a while."""
    for pid in targets:
        # SIGTERM lets PostgreSQL wait for its clients; SIGINT is its fast shutdown.
        _signal(pid, signal.SIGINT if _read(pid, "comm").strip() == "postgres" else signal.SIGTERM)
    if not wait_until_gone(targets, _STOP_SECONDS):
        for pid in filter(is_alive, targets):
            _signal(pid, signal.SIGKILL)
        wait_until_gone(targets, _STOP_SECONDS)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise StackError(f"Process {pid} ({command_line(pid)}) belongs to another user.") from error


def wait_until_gone(targets: Sequence[int], seconds: float) -> bool:
    """Wait for processes to end; return whether they did."""
    watch = Stopwatch()
    while any(map(is_alive, targets)):
        if watch.seconds > seconds:
            return False
        time.sleep(0.1)
    return True
