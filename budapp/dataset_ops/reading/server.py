"""A reader: takes a task a line from its input, and reads each file in a process of its own, forked from this one.

So the libraries are loaded once; and whatever a file does to the process that reads it, the next file has a new one.
"""

import gc
import multiprocessing
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection

import pyarrow as pa
from pydantic_core import from_json, to_json

from budapp.dataset_ops.reading.csv_files import examine_csv
from budapp.dataset_ops.reading.json_lines import examine_json_lines
from budapp.dataset_ops.reading.parquet_files import examine_parquet
from budapp.dataset_ops.reading.protocol import (
    FileGone,
    Findings,
    Format,
    Report,
    StoreFailed,
    Task,
    UnreadableFile,
)
from budapp.dataset_ops.reading.sources import Source

_EXAMINE: dict[Format, Callable[[Source], Findings]] = {
    Format.CSV: examine_csv,
    Format.JSONL: examine_json_lines,
    Format.PARQUET: examine_parquet,
}
_OPEN_FILES = 64
_TRACEBACK_CHARACTERS = 4000


def main() -> None:
    """Serve until the input ends."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    for line in sys.stdin.buffer:
        values = from_json(line)
        output.write(_answer(Task(**{**values, "format": Format(values["format"])})) + b"\n")
        output.flush()


def _answer(task: Task) -> bytes:
    """Have a new process read the file, and return its report, or the report of its death."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(task, sending))
    process.start()
    sending.close()
    try:
        answer = receiving.recv_bytes()
    except (EOFError, OSError):
        answer = b""
    receiving.close()
    process.join()
    return answer or to_json(Report("died", signal=-(process.exitcode or 0)))


def _work(task: Task, sending: Connection) -> None:
    _confine(task)
    gc.disable()  # one file makes many objects, and no cycles worth looking for
    sending.send_bytes(to_json(_report(task)))


def _confine(task: Task) -> None:
    """Set the limits; what was printed would reach the service, and is not."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    signal.alarm(task.seconds)
    for kind, limit in (
        (resource.RLIMIT_AS, task.memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        resource.setrlimit(kind, (limit, limit))
    # The first limit ends it with SIGXCPU, which tells what happened; the second one with SIGKILL.
    resource.setrlimit(resource.RLIMIT_CPU, (task.cpu_seconds, task.cpu_seconds + 1))


def _report(task: Task) -> Report:
    try:
        return Report("read", findings=_findings(task))
    except UnreadableFile as error:
        return Report("refused", str(error))
    except FileGone:
        return Report("gone")
    except StoreFailed as error:
        return Report("store_failed", str(error))
    except Exception:  # noqa: BLE001 - the boundary: a fault of ours is told to the service, which logs it
        return Report("failed", traceback.format_exc()[-_TRACEBACK_CHARACTERS:])


def _findings(task: Task) -> Findings:
    try:
        return _EXAMINE[task.format](Source(task.url, task.size))
    except MemoryError as error:
        raise UnreadableFile(
            f"Reading the file takes more than {task.memory_bytes // 1024**2} MiB of memory"
        ) from error
    except RecursionError as error:
        raise UnreadableFile("Values are nested too deeply") from error
    except UnicodeDecodeError as error:
        raise UnreadableFile("A column name is not valid UTF-8") from error


if __name__ == "__main__":
    main()
