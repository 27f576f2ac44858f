"""The state machine of clusters: budcluster's reports in any order, and its silence."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budapp.cluster_ops.models import ClusterStatus
from budapp.cluster_ops.status import (
    DELETING_AT_MOST,
    REPORTED,
    SILENT_AFTER,
    TRANSITIONS,
    Report,
    State,
    after_report,
    after_silence,
    counts_of,
)
from budapp.integrations.budcluster import ClusterDevice, ClusterNode

START = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = st.integers(0, 3 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))
STATUSES = st.sampled_from([*ClusterStatus, "registering", "", "AVAILABLE"]).map(str)
REPORTS = st.builds(Report, STATUSES, st.none() | st.just("why"), TIMES)
ALIVE = sorted(set(ClusterStatus) - {ClusterStatus.DELETED})
STATES = st.builds(
    lambda status, told, since: State(
        ClusterStatus(status), None, told, since if status == ClusterStatus.DELETING else None
    ),
    st.sampled_from(ALIVE),
    st.none() | TIMES,
    TIMES,
)


def run(state: State, reports: list[Report]) -> State:
    for report in reports:
        state = after_report(state, report) or state
    return state


def test_the_table_names_every_status() -> None:
    assert TRANSITIONS.keys() == set(ClusterStatus)


@settings(max_examples=300, deadline=None)
@given(STATES, st.lists(REPORTS, max_size=8))
def test_only_what_the_table_allows_is_ever_reached(state: State, reports: list[Report]) -> None:
    for report in reports:
        after = after_report(state, report)
        if after is None:
            continue
        if state.status == ClusterStatus.DELETING:
            assert after.status == ClusterStatus.ERROR
            assert state.deleting_since is not None
            assert report.at - state.deleting_since > DELETING_AT_MOST
        else:
            assert after.status in TRANSITIONS[state.status]
            assert after.status == report.status
        assert (after.reason is None) == (after.status == ClusterStatus.AVAILABLE)
        state = after


@settings(max_examples=300, deadline=None)
@given(STATES, st.lists(REPORTS, max_size=8))
def test_time_never_runs_backwards_and_the_newest_report_counts(state: State, reports: list[Report]) -> None:
    for report in reports:
        after = after_report(state, report)
        if after is not None and state.reported_at is not None and after.reported_at is not None:
            assert after.reported_at >= state.reported_at
        state = after or state


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(REPORTED)),
    st.lists(st.builds(Report, st.sampled_from(sorted(REPORTED)).map(str), st.none(), TIMES), min_size=1, max_size=7)
    .filter(lambda reports: len({report.at for report in reports}) == len(reports))
    .flatmap(lambda reports: st.tuples(st.just(reports), st.permutations(reports))),
)
def test_the_order_in_which_reports_come_makes_no_difference(
    begin: ClusterStatus, orders: tuple[list[Report], list[Report]]
) -> None:
    state = State(begin, None, None, None)
    told, shuffled = orders
    in_order = run(state, sorted(told, key=lambda report: report.at))
    assert run(state, shuffled) == in_order
    assert run(in_order, shuffled) == in_order, "repeating them all changes nothing"


@settings(max_examples=200, deadline=None)
@given(STATES, TIMES, TIMES)
def test_silence_takes_only_what_was_available_or_is_overdue(state: State, now: datetime, heard: datetime) -> None:
    after = after_silence(state, now, heard)
    silent = state.status == ClusterStatus.AVAILABLE and now - heard >= SILENT_AFTER
    overdue = state.deleting_since is not None and now - state.deleting_since > DELETING_AT_MOST
    assert (after is not None) == (silent or overdue)
    if after is not None:
        assert after.status == (ClusterStatus.NOT_AVAILABLE if silent else ClusterStatus.ERROR)
        assert after.reason


@pytest.mark.parametrize("kind", ["cpu", "cpu_high", "gpu", "cuda", "hpu", "CUDA"])
def test_kinds_of_devices_are_counted_where_they_belong(kind: str) -> None:
    nodes = [
        ClusterNode(devices=[ClusterDevice(type=kind, available_count=3)]),
        ClusterNode(devices=[ClusterDevice(type=kind, available_count=2)], status=False),
    ]
    counts = counts_of(nodes)
    shown = {"cpu_high": "cpu", "cuda": "gpu"}.get(kind.lower(), kind.lower())
    assert (counts[f"{shown}_count"], counts[f"{shown}_total_workers"], counts[f"{shown}_available_workers"]) == (
        2,
        5,
        3,
    )
    assert (counts["total_nodes"], counts["available_nodes"]) == (2, 1)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.builds(
            ClusterNode,
            devices=st.lists(
                st.builds(ClusterDevice, type=st.text(max_size=8), available_count=st.integers(0, 1_000_000)),
                max_size=4,
            ),
            status=st.booleans(),
        ),
        max_size=20,
    )
)
def test_counts_fit_and_no_more_is_available_than_there_is(nodes: list[ClusterNode]) -> None:
    counts = counts_of(nodes)
    assert all(0 <= count < 2**31 for count in counts.values())
    for kind in ("cpu", "gpu", "hpu"):
        assert counts[f"{kind}_available_workers"] <= counts[f"{kind}_total_workers"]
    assert counts["available_nodes"] <= counts["total_nodes"] == len(nodes)
