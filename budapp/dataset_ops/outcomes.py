"""What comes of reading a file."""

import signal
from dataclasses import dataclass

from budapp.dataset_ops.models import DatasetFile
from budapp.dataset_ops.reading.formats import printable
from budapp.dataset_ops.reading.protocol import Findings, Report, Task

_LONGEST_REASON = 500
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE}


@dataclass(frozen=True, slots=True)
class Refusal:
    """The file is not what it should be; another try would come to the same."""

    reason: str


@dataclass(frozen=True, slots=True)
class Postponement:
    """Nothing is known of the file yet.

    Args:
        reason: why it is refused where this was the last of its tries.
        counts: whether this was one of the few tries that a file has.
    """

    reason: str
    counts: bool = True


Outcome = Findings | Refusal | Postponement

UNREAD = Postponement("The file could not be read")
"""We failed, for reasons of our own."""


def outcome_of(file: DatasetFile, task: Task, report: Report) -> Outcome:
    """Return what the report means for the file."""
    if report.findings is not None:
        return _checked(file, report.findings)
    if report.outcome == "refused":
        return Refusal(printable(report.text)[:_LONGEST_REASON])
    if report.outcome == "gone":
        return Refusal("The content is gone; upload it anew")
    if report.outcome == "store_failed":
        return Postponement("The file store does not answer", counts=False)
    return _after_death(task, report.signal) if report.outcome == "died" else UNREAD


def _checked(file: DatasetFile, findings: Findings) -> Outcome:
    if file.checksum in {None, findings.checksum}:
        return findings
    return Refusal(f"The content's checksum is {findings.checksum}, not the announced one")


def _after_death(task: Task, number: int) -> Outcome:
    if number == signal.SIGXCPU:
        return Refusal(f"Reading the file takes more than {task.cpu_seconds} seconds of CPU time")
    if number in _CRASHES:
        memory = f"{task.memory_bytes // 1024**2} MiB"
        return Refusal(f"The file can't be read: it is damaged, or reading takes more than {memory} of memory")
    return Postponement(f"The file could not be read within {task.seconds} seconds")
