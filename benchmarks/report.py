"""The table, and whether the marks hold."""

import os
from dataclasses import dataclass

from benchmarks.cases import Case
from benchmarks.load import Figures

MOST_STATEMENTS = 3
MOST_P99 = 5.0
MOST_GROWTH = 1.5


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
    head = f"{'':26}{'budapp':^33}{'floor':^33}{'ratio of':>13}{'SQL':>5}"
    columns = f"{'rps':>8}{'p50 ms':>9}{'p99 ms':>9}{'cpu ms':>8}"
    lines = [head, f"{'':26}{columns}{columns}{'rps':>7}{'cpu':>6}"]
    for one in results:
        figures = "".join(f"{f.rps:8.0f}{f.p50:9.1f}{f.p99:9.1f}{f.cpu:8.2f}" for f in (one.budapp, one.floor))
        lines.append(
            f"{one.case.name:26}{figures}{one.ratio:7.2f}{one.floor.cpu / one.budapp.cpu:6.2f}{one.statements:5}"
        )
    return "\n".join(lines)


def marks(results: list[Result], small: str, large: str) -> list[Mark]:
    """Judge the results; `small` and `large` name the cases whose times are compared."""
    found: list[Mark] = []
    for one in results:
        name = one.case.name
        if one.case.least is not None:
            found.append(Mark(f"{name} >= {one.case.least} of the floor", one.ratio, one.ratio >= one.case.least))
        if not one.case.posts:
            few = one.statements <= MOST_STATEMENTS
            found.append(Mark(f"{name}: at most {MOST_STATEMENTS} statements", one.statements, few))
        found.append(Mark(f"{name}: p99 <= {MOST_P99:.0f} x p50", one.spread, one.spread <= MOST_P99))
    by_name = {one.case.name: one.budapp for one in results}
    if small in by_name and large in by_name:
        growth = by_name[small].rps / by_name[large].rps
        found.append(Mark(f"{large} <= {MOST_GROWTH} x the time of {small}", growth, growth <= MOST_GROWTH))
    return found


def printed(found: list[Mark]) -> str:
    return "\n".join(f"{'holds' if mark.holds else 'FAILS':6} {mark.value:6.2f}  {mark.text}" for mark in found)


def machine() -> str:
    """Say what else the machine is busy with, as it decides how far the figures can be trusted."""
    return f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}"
