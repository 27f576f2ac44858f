"""The tables, and whether the marks hold."""

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.cases import Case
from benchmarks.load import Figures, Load

_PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_BEGIN, _END = "<!-- figures: written by python -m benchmarks --write -->", "<!-- end of figures -->"


@dataclass(frozen=True)
class Result:
    """What was measured for one case, in medians."""

    case: Case
    floor: Figures
    budapp: Figures
    statements: int

    @property
    def ratio(self) -> float:
        return self.budapp.rps / self.floor.rps

    @property
    def spread(self) -> float:
        return self.budapp.p99 / self.budapp.p50


@dataclass(frozen=True)
class Mark:
    """One thing that is asked of the service."""

    text: str
    value: float
    holds: bool


def table(results: list[Result]) -> str:
    """Return the figures, a line for each case."""
    head = f"{'':30}{'budapp':^33}{'floor':^33}{'ratio of':>13}{'SQL':>5}"
    columns = f"{'rps':>8}{'p50 ms':>9}{'p99 ms':>9}{'cpu ms':>8}"
    lines = [head, f"{'':30}{columns}{columns}{'rps':>7}{'cpu':>6}"]
    for one in results:
        figures = "".join(f"{f.rps:8.0f}{f.p50:9.1f}{f.p99:9.1f}{f.cpu:8.2f}" for f in (one.budapp, one.floor))
        ratios = f"{one.ratio:7.2f}{one.floor.cpu / one.budapp.cpu:6.2f}"
        lines.append(f"{one.case.name:30}{figures}{ratios}{one.statements:5}")
    return "\n".join(lines)


def marks(results: list[Result]) -> list[Mark]:
    """Judge the results."""
    found: list[Mark] = []
    for one in results:
        case = one.case
        if case.least is not None:
            found.append(Mark(f"{case.name} >= {case.least} of the floor", one.ratio, one.ratio >= case.least))
        text = f"{case.name}: p99 <= {case.spread:.0f} x p50"
        found.append(Mark(text, one.spread, one.spread <= case.spread))
    return found


def printed(found: list[Mark]) -> str:
    return "\n".join(f"{'holds' if mark.holds else 'FAILS':6} {mark.value:6.2f}  {mark.text}" for mark in found)


def headline(load: Load, rounds: int, memory: int) -> str:
    """Say when, of what and on what kind of machine it was measured, and how busy that was besides."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "no commit"
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    how = f"{load.connections} connections, medians of {rounds} x {load.seconds} s"
    busy = f"load average {os.getloadavg()[0]:.1f}, budapp's memory afterwards {memory} MB"
    return f"{datetime.now(UTC):%Y-%m-%d}, {commit}, {machine}; {how}; {busy}."


def write(results: list[Result], found: list[Mark], headed: str) -> None:
    """Put the tables into the page of the docs, in place of those of the run before."""
    before, rest = _PAGE.read_text().split(_BEGIN)
    after = rest.split(_END)[1]
    ratios = ["| request | of the floor (rps) | of the floor (cpu) | statements | p99 / p50 | the floor's p99 / p50 |"]
    ratios += ["|---|---|---|---|---|---|"]
    ratios += [
        f"| `{one.case.name}` | {one.ratio:.2f} | {one.floor.cpu / one.budapp.cpu:.2f} | {one.statements} "
        f"| {one.spread:.1f} | {one.floor.p99 / one.floor.p50:.1f} |"
        for one in results
    ]
    held = ["| mark | measured | holds |", "|---|---|---|"]
    held += [f"| {mark.text} | {mark.value:.2f} | {'yes' if mark.holds else 'no'} |" for mark in found]
    text = "\n\n".join([_BEGIN, headed, "\n".join(ratios), "\n".join(held), _END])
    _PAGE.write_text(before + text + after)
