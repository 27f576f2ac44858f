"""What a type of workflow declares is held against what it does when the service starts."""

from dataclasses import replace
from typing import Any

import pytest

from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.scopes import Scope
from budapp.integrations.peers import PeerCall
from budapp.workflow_ops.definitions import Definition, Definitions, Events, Outcome, Run, Task
from budapp.workflow_ops.step_views import StepList, WorkflowSteps, compose


class TeaSteps(WorkflowSteps):
    leaf: str | None = None
    brewing_events: StepList | None = None


async def ask(_session: ReadSession, _run: Run) -> PeerCall | None:
    return None


async def pour(_session: WriteSession, _run: Run, _result: Any) -> Outcome:
    return Outcome()


TEA = Definition(
    type="tea",
    scope=Scope.MODEL_MANAGE,
    title="Tea",
    tag=None,
    tasks=(Task(needs=(), request=ask, results=pour, events=Events(key="brewing_events", type="brew", steps=())),),
    fields=("leaf",),
    shows=TeaSteps,
)


def test_a_type_that_declares_all_that_it_keeps_is_taken() -> None:
    assert Definitions([TEA]).of("tea") is TEA


def test_a_type_whose_steps_say_what_nobody_declares_is_refused_at_start() -> None:
    with pytest.raises(ValueError, match="tea keeps sugar"):
        Definitions([replace(TEA, fields=("leaf", "sugar"))])


def test_what_is_kept_and_not_shown_is_declared_as_such() -> None:
    Definitions([replace(TEA, fields=("leaf", "sugar"), unshown=("sugar",))])


def test_a_list_of_events_under_an_undeclared_name_is_refused_at_start() -> None:
    events = Events(key="steeping_events", type="brew", steps=())
    with pytest.raises(ValueError, match="steeping_events"):
        Definitions([replace(TEA, tasks=(replace(TEA.tasks[0], events=events),))])


def test_two_types_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="Two workflow types are named tea"):
        Definitions([TEA, TEA])


def test_the_view_of_all_steps_has_the_fields_of_every_domain() -> None:
    class CoffeeSteps(WorkflowSteps):
        bean: str | None = None

    class MixedSteps(TeaSteps, CoffeeSteps):
        pass

    composed = compose([TeaSteps, CoffeeSteps, TeaSteps, MixedSteps])
    assert set(composed.model_fields) == {"leaf", "brewing_events", "bean"}
    assert composed.model_validate({"bean": "x", "sugar": 2}).model_dump() == {
        "leaf": None,
        "brewing_events": None,
        "bean": "x",
    }


def test_a_field_that_two_domains_declare_differently_is_refused() -> None:
    class CoffeeSteps(WorkflowSteps):
        leaf: int | None = None

    with pytest.raises(ValueError, match="a field leaf of different types"):
        compose([TeaSteps, CoffeeSteps])
