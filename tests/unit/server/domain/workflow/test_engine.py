"""What a run does next, rule by rule; `test_engine_model` compares all of it with a model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.domain.workflow.definition import Join, NotifyWork, WebhookWork
from server.domain.workflow.run import Ended, NodeState, NodeStatus, RunStatus
from tests.unit.server.domain.workflow.building import (
    APPROVAL,
    CONDITION,
    DELAY,
    a_definition,
    a_node,
    a_run,
    after,
    ended,
    next_step,
    running,
)

SUCCEEDED, FAILED, SKIPPED = NodeStatus.SUCCEEDED, NodeStatus.FAILED, NodeStatus.SKIPPED
CANCELLED, TIMEOUT = NodeStatus.CANCELLED, NodeStatus.TIMEOUT
OK = Ended(True)
BROKEN = Ended(False, problem="exit code 1")


def test_nodes_that_nothing_leads_to_begin_at_once() -> None:
    definition = a_definition("a", "b", "c", edges=["a>c"])
    step = next_step(definition, a_run(definition))
    assert step.to_begin == ["a", "b"]
    assert step.changed == {}
    assert step.status is RunStatus.RUNNING


@pytest.mark.parametrize(
    ("on", "source", "begins"),
    [
        ("SUCCESS", SUCCEEDED, True),
        ("SUCCESS", FAILED, False),
        ("SUCCESS", TIMEOUT, False),
        ("FAILURE", SUCCEEDED, False),
        ("FAILURE", FAILED, True),
        ("FAILURE", TIMEOUT, True),
        ("ALWAYS", SUCCEEDED, True),
        ("ALWAYS", FAILED, True),
        ("ALWAYS", TIMEOUT, True),
        ("ALWAYS", SKIPPED, False),
        ("ALWAYS", CANCELLED, False),
        ("FAILURE", SKIPPED, False),
        ("SUCCESS", SKIPPED, False),
    ],
)
def test_an_edge_is_taken_by_how_its_source_ended(on: str, source: NodeStatus, *, begins: bool) -> None:
    definition = a_definition("a", "b", edges=[f"a>b {on}"])
    step = next_step(definition, a_run(definition, a=ended(source)))
    assert (list(step.to_begin), list(step.changed)) == ((["b"], []) if begins else ([], ["b"]))
    if not begins:
        assert step.changed["b"].status is SKIPPED


@pytest.mark.parametrize("result", [True, False])
def test_a_condition_leads_on_by_what_it_found(*, result: bool) -> None:
    definition = a_definition(a_node("a", CONDITION), "yes", "no", edges=["a>yes TRUE", "a>no FALSE"])
    step = next_step(definition, a_run(definition, a=ended(SUCCEEDED, result=result)))
    assert step.to_begin == (["yes"] if result else ["no"])


def test_of_a_condition_that_failed_neither_way_is_taken() -> None:
    definition = a_definition(a_node("a", CONDITION), "yes", "no", edges=["a>yes TRUE", "a>no FALSE"])
    step = next_step(definition, a_run(definition, a=ended(FAILED)))
    assert (step.to_begin, step.status) == ([], RunStatus.FAILED)


@pytest.mark.parametrize(("join", "begins"), [(Join.ANY, True), (Join.ALL, False)])
def test_a_join_wants_one_edge_or_all(join: Join, *, begins: bool) -> None:
    definition = a_definition("a", "b", a_node("c", join=join), edges=["a>c", "b>c"])
    step = next_step(definition, a_run(definition, a=ended(SUCCEEDED), b=ended(FAILED)))
    assert step.to_begin == (["c"] if begins else [])


@pytest.mark.parametrize("join", list(Join))
def test_a_join_is_decided_only_once_all_edges_into_it_are(join: Join) -> None:
    definition = a_definition("a", "b", a_node("c", join=join), edges=["a>c", "b>c"])
    step = next_step(definition, a_run(definition, a=ended(SUCCEEDED), b=running()))
    assert (list(step.to_begin), dict(step.changed)) == ([], {})


def test_what_is_skipped_skips_what_follows_in_the_same_step() -> None:
    definition = a_definition("d", "c", "b", "a", edges=["a>b FAILURE", "b>c ALWAYS", "c>d"])
    step = next_step(definition, a_run(definition, a=running()), {"a": OK}, 7)
    assert {name: state.status for name, state in step.changed.items()} == {
        "a": SUCCEEDED,
        "b": SKIPPED,
        "c": SKIPPED,
        "d": SKIPPED,
    }
    assert {state.completed_at for state in step.changed.values()} == {after(7)}
    assert (step.status, step.wake_at) == (RunStatus.COMPLETED, None)


@pytest.mark.parametrize("on", ["FAILURE", "ALWAYS"])
def test_a_failure_that_leads_on_is_handled(on: str) -> None:
    definition = a_definition("a", "b", edges=[f"a>b {on}"])
    step = next_step(definition, a_run(definition, a=ended(FAILED), b=running()), {"b": OK})
    assert (step.status, step.problem) == (RunStatus.COMPLETED, "")


def test_other_branches_run_to_their_end_before_a_failed_run_ends() -> None:
    definition = a_definition("a", "b", "c", edges=["b>c"])
    run = a_run(definition, a=running(), b=running())
    step = next_step(definition, run, {"a": BROKEN, "b": OK})
    assert (step.status, step.to_begin) == (RunStatus.RUNNING, ["c"])
    rest = replace(run, nodes={**step.changed, "c": running()})
    last = next_step(definition, rest, {"c": OK})
    assert (last.status, last.problem) == (RunStatus.FAILED, "the step a failed: exit code 1")


def test_what_is_heard_of_a_node_that_is_not_active_changes_nothing() -> None:
    definition = a_definition("a", "b", "c", edges=["a>b", "b>c"])
    run = a_run(definition, a=ended(SUCCEEDED), b=running())
    step = next_step(definition, run, {"a": BROKEN, "c": OK, "nobody": OK})
    assert (list(step.to_begin), dict(step.changed)) == ([], {})


def test_a_delay_is_over_when_it_is_due_and_not_before() -> None:
    definition = a_definition(a_node("a", DELAY))
    run = a_run(definition, a=running(due=30, deadline=3600))
    early = next_step(definition, run, {}, 29)
    assert (dict(early.changed), early.wake_at) == ({}, after(30))
    assert next_step(definition, run, {}, 30).changed["a"].status is SUCCEEDED


def test_an_approval_that_expires_is_a_failure() -> None:
    definition = a_definition(a_node("a", APPROVAL))
    waiting = replace(running(due=60, deadline=3600), status=NodeStatus.WAITING)
    step = next_step(definition, a_run(definition, a=waiting), {}, 60)
    assert (step.changed["a"].status, step.changed["a"].problem) == (FAILED, "nobody answered in time")


def test_a_node_out_of_time_is_told_to_end_and_counts_as_a_failure() -> None:
    definition = a_definition(a_node("a", timeout=10), "b", edges=["a>b FAILURE"])
    step = next_step(definition, a_run(definition, a=running(deadline=10)), {}, 10)
    assert step.changed["a"].status is TIMEOUT
    assert (step.to_cancel, step.to_begin, step.status) == (["a"], ["b"], RunStatus.RUNNING)


def test_what_ended_counts_where_its_deadline_is_past_too() -> None:
    definition = a_definition(a_node("a", timeout=10), timeout=20)
    for at in (10, 20, 500):
        step = next_step(definition, a_run(definition, a=running(deadline=10)), {"a": OK}, at)
        assert (step.changed["a"].status, step.status, list(step.to_cancel)) == (SUCCEEDED, RunStatus.COMPLETED, [])


def test_a_node_without_a_time_of_its_own_ends_with_the_run() -> None:
    definition = a_definition("a", "b", edges=["a>b FAILURE"], timeout=20)
    step = next_step(definition, a_run(definition, a=running(deadline=20)), {}, 20)
    assert {name: state.status for name, state in step.changed.items()} == {"a": CANCELLED, "b": CANCELLED}
    assert (step.status, step.problem) == (RunStatus.TIMEOUT, "its time of 20 seconds was over")
    assert (step.to_cancel, step.to_begin) == (["a"], [])


def test_what_was_due_before_the_run_s_deadline_counts_however_late_anybody_looks() -> None:
    definition = a_definition(a_node("a", DELAY), timeout=60)
    step = next_step(definition, a_run(definition, a=running(due=30, deadline=60)), {}, 9000)
    assert step.status is RunStatus.COMPLETED


@pytest.mark.parametrize(
    ("cancel", "stop", "at", "status"),
    [
        (True, "", 0, RunStatus.CANCELLED),
        (True, "brake", 9000, RunStatus.CANCELLED),
        (False, "brake", 9000, RunStatus.STOPPED),
        (False, "", 9000, RunStatus.TIMEOUT),
    ],
)
def test_a_cancellation_comes_before_the_brake_and_the_brake_before_the_deadline(
    *, cancel: bool, stop: str, at: float, status: RunStatus
) -> None:
    definition = a_definition("a", a_node("b", CONDITION), "c", edges=["a>c", "b>c"])
    run = a_run(definition, cancel=cancel, stop=stop, a=running(), b=ended(SUCCEEDED, result=True))
    step = next_step(definition, run, {}, at)
    assert (step.status, step.to_cancel, step.to_begin, step.wake_at) == (status, ["a"], [], None)
    assert {name: state.status for name, state in step.changed.items()} == {"a": CANCELLED, "c": CANCELLED}


def test_only_what_ran_is_told_to_end() -> None:
    sends = a_node("d", NotifyWork((), "Look")), a_node("e", WebhookWork("https://example.org"))
    definition = a_definition("a", "b", a_node("c", DELAY), *sends)
    run = a_run(definition, cancel=True, a=running(), c=running(due=30), d=running(), e=running())
    assert next_step(definition, run).to_cancel == ["a", "d", "e"]


def test_a_run_that_has_nothing_left_ended_by_that_whatever_else_is_asked() -> None:
    definition = a_definition("a")
    run = a_run(definition, cancel=True, stop="brake", a=running())
    assert next_step(definition, run, {"a": OK}, 9000).status is RunStatus.COMPLETED


def test_a_run_that_has_ended_does_nothing_more() -> None:
    definition = a_definition("a", "b")
    run = replace(a_run(definition, a=running()), status=RunStatus.STOPPED, problem="brake", cancel_requested=True)
    step = next_step(definition, run, {"a": OK}, 9000)
    assert (dict(step.changed), list(step.to_begin), list(step.to_cancel)) == ({}, [], [])
    assert (step.status, step.problem, step.wake_at) == (RunStatus.STOPPED, "brake", None)


def test_it_wakes_at_the_next_time_that_matters() -> None:
    definition = a_definition("a", "b", a_node("c", DELAY), timeout=100)
    run = a_run(definition, a=running(deadline=100), b=running(deadline=40), c=running(due=30, deadline=100))
    assert next_step(definition, run).wake_at == after(30)
    run = replace(run, nodes={"a": NodeState(NodeStatus.SUCCEEDED), "b": running(deadline=40), "c": ended(SKIPPED)})
    assert next_step(definition, run).wake_at == after(40)
