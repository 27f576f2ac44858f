"""The order of events, whatever a stand-in is told to do wrong."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from peers.budcluster import QUANTIZATION
from peers.budmodel import EXTRACTION, LICENSE, SCAN
from peers.budsim import SIMULATION
from peers.envelope import Status
from peers.faults import Fault
from peers.flow import RESULTS, Event, Flow, plan

flows = st.sampled_from([EXTRACTION, SCAN, LICENSE, SIMULATION, QUANTIZATION])
places = st.none() | st.integers(1, 8).map(str)


def faults(**more: Any) -> st.SearchStrategy[Fault]:
    orders = st.sampled_from([None, "swap", "reverse"])
    return st.builds(Fault, fail_at=places, silent_from=places, reorder=orders, **more)


def key(event: Event) -> tuple[int, str, Status, str]:
    return event.step, event.event, event.status, event.message


@given(flows)
def test_without_a_fault_every_step_takes_its_time_and_the_results_come_last(flow: Flow) -> None:
    events = plan(flow)
    assert [event.step for event in events] == sorted(event.step for event in events)
    assert [event.event for event in events if event.event == RESULTS] == [events[-1].event]
    told = [number for number, step in enumerate(flow.steps, 1) if step.told()]
    assert [round(sum(event.takes for event in events if event.step == number), 6) for number in told] == [1] * len(
        told
    )


@given(flows, faults())
def test_work_that_fails_sends_one_failure_and_no_results(flow: Flow, fault: Fault) -> None:
    fails = fault.fail_at is not None and int(fault.fail_at) <= len(flow.steps)
    events = plan(flow, fault.model_copy(update={"silent_from": None}))
    assert len([event for event in events if event.status == Status.FAILED]) == fails
    assert any(event.event == RESULTS for event in events) != fails


@given(flows, faults())
def test_another_order_loses_no_event(flow: Flow, fault: Fault) -> None:
    straight = plan(flow, fault.model_copy(update={"reorder": None}))
    assert sorted(map(key, plan(flow, fault))) == sorted(map(key, straight))


@given(flows, faults())
def test_silence_begins_where_it_is_told_to(flow: Flow, fault: Fault) -> None:
    if fault.silent_from:
        assert all(event.step < int(fault.silent_from) for event in plan(flow, fault))


@given(flows, faults(), st.sampled_from(["publish", "delivery"]))
def test_a_duplicate_follows_its_event(flow: Flow, fault: Fault, how: Any) -> None:
    once, twice = plan(flow, fault), plan(flow, fault.model_copy(update={"duplicate": how}))
    assert list(map(key, twice)) == [key(event) for event in once for _ in range(2)]
    assert [event.redelivered for event in twice] == [False, how == "delivery"] * len(once)
