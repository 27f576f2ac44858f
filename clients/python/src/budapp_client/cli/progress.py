"""Long work as it goes on: on the terminal's error stream, and in plain lines where nobody looks."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from budapp_client.cli.output import tell
from budapp_client.datasets import OnSent
from budapp_client.workflows import OnProgress, Progress, Step

_SIGNS = {"COMPLETED": ("✓", "green"), "FAILED": ("✗", "red"), "STARTED": ("…", "yellow")}


@contextmanager
def sending(name: str) -> Iterator[OnSent]:
    """Show a bar; yield what is told how much is sent."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=None)
        yield lambda sent, size: bar.update(task, completed=sent, total=size)


@contextmanager
def steps_shown(*, quiet: bool = False) -> Iterator[OnProgress]:
    """Show the steps of a workflow; yield what is told of its progress."""
    if quiet:
        yield lambda _progress: None
    elif sys.stderr.isatty():
        with Live(console=Console(stderr=True), auto_refresh=False) as live:
            yield lambda progress: live.update(_drawn(progress), refresh=True)
    else:
        yield _Lines().tell


class _Lines:
    """A line for each step that is done or has failed."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, progress: Progress) -> None:
        for step in progress.steps:
            if step.status in {"COMPLETED", "FAILED"} and step.title not in self._told:
                self._told.add(step.title)
                tell(f"{step.status.lower():<9}  {step.title}")


def _drawn(progress: Progress) -> Group:
    lines = [_line(step) for step in progress.steps]
    if progress.eta_minutes and not progress.is_over:
        lines.append(Text(f"about {progress.eta_minutes} min", style="dim"))
    return Group(*lines)


def _line(step: Step) -> Text:
    sign, style = _SIGNS.get(step.status, ("·", "dim"))
    return Text(f"{sign} {step.title}", style=style)
