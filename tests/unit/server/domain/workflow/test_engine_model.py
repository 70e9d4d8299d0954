"""Runs of random workflows, with everything that may happen to them, compared with a naive model of them.

Facts come late, twice, for nodes that have not begun or have ended, or never; looks come without news; a cancellation
or the brake comes at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from server.domain.workflow.definition import (
    ApprovalWork,
    ConditionWork,
    Definition,
    DelayWork,
    Edge,
    Event,
    Join,
    Node,
    NotifyWork,
    On,
    RunbookWork,
    Trigger,
    WebhookWork,
)
from server.domain.workflow.engine import Step, advance
from server.domain.workflow.run import Ended, NodeState, NodeStatus, RunState
from tests.unit.server.domain.workflow.building import APPROVAL, CONDITION, DELAY, RUNBOOK, START, a_run, after
from tests.unit.server.domain.workflow.model import Look, Model, Plan

TOTAL = 100
WORKS = (RUNBOOK, RUNBOOK, CONDITION, DELAY, APPROVAL, NotifyWork((UUID(int=1),), "hello"))
TIMES = st.integers(0, 12).map(lambda tens: tens * 10)
ENDINGS = st.builds(Ended, st.booleans(), st.just({"result": True}))
NAMES = [f"n{index}" for index in range(8)]


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    """Graphs of up to eight nodes: edges lead from lower names to higher ones, in whatever order nodes stand."""
    names = NAMES[: draw(st.integers(1, 8))]
    works = {name: draw(st.sampled_from(WORKS)) for name in names}
    nodes = [Node(name, works[name], join=draw(st.sampled_from(list(Join)))) for name in draw(st.permutations(names))]
    edges = []
    for source, target in combinations(names, 2):
        kinds = [On.SUCCESS, On.FAILURE, On.ALWAYS]
        kinds += [On.TRUE, On.FALSE] * 2 if isinstance(works[source], ConditionWork) else []
        wanted = draw(st.sampled_from([0, 0, 1, 1, 2]))
        chosen = draw(st.lists(st.sampled_from(kinds), min_size=wanted, max_size=wanted, unique=True))
        edges += [Edge(source, target, on) for on in chosen]
    return Definition("w", Trigger(Event.MANUAL), nodes, draw(st.permutations(edges)), TOTAL)


@st.composite
def plans(draw: st.DrawFn, node: Node) -> Plan:
    if isinstance(node.work, ConditionWork):
        return Plan(at_once=draw(st.sampled_from([True, True, True, False])), result=draw(st.booleans()))
    if draw(st.integers(0, 9)) == 0:
        return Plan(at_once=draw(st.booleans()))
    timed = isinstance(node.work, DelayWork | ApprovalWork)
    due = draw(TIMES) if isinstance(node.work, DelayWork) else draw(st.none() | TIMES) if timed else None
    return Plan(due=due, limit=draw(st.none() | TIMES))


def begin(node: Node, plan: Plan, now: int) -> NodeState:
    if plan.at_once is not None:
        status = NodeStatus.SUCCEEDED if plan.at_once else NodeStatus.FAILED
        return NodeState(status, output={"result": plan.result}, started_at=after(now), completed_at=after(now))
    return NodeState(
        NodeStatus.WAITING if isinstance(node.work, ApprovalWork) else NodeStatus.RUNNING,
        started_at=after(now),
        deadline=after(TOTAL if plan.limit is None else min(TOTAL, now + plan.limit)),
        due_at=None if plan.due is None else after(now + plan.due),
    )


class Runs(RuleBasedStateMachine):
    definition: Definition
    plans: Mapping[str, Plan]
    run: RunState
    last: Step

    @initialize(data=st.data(), definition=definitions())
    def start(self, data: st.DataObject, definition: Definition) -> None:
        self.definition = definition
        self.plans = {node.name: data.draw(plans(node)) for node in definition.nodes}
        self.run = a_run(definition)
        self.looks: list[Look] = []
        self.now = 0
        self.look({})

    def look(self, heard: Mapping[str, Ended]) -> Step:
        """Asks the engine, holds its answer against the model and its promises, and stores it."""
        at = after(self.now)
        step = advance(self.definition, self.run, heard, at)
        assert step == advance(self.definition, self.run, heard, at), "the same question has the same answer"
        if not self.run.status.ended:
            self.looks.append(Look(self.now, heard, self.run.cancel_requested, bool(self.run.stop_reason)))
        self._keep_what_ended(step)
        self._cancel_what_runs(step)
        stored = replace(self.run, nodes={**self.run.nodes, **step.changed}, status=step.status, problem=step.problem)
        self._compare(stored, step)
        begun = {name: begin(self.definition.node(name), self.plans[name], self.now) for name in step.to_begin}
        self.run = replace(stored, nodes={**stored.nodes, **begun})
        if not step.to_begin:
            self._expect_nothing(heard, self.now)
            self._expect_nothing({}, self._before_wake(step))
        self.last = step
        return step

    def _compare(self, stored: RunState, step: Step) -> None:
        status, nodes, begins = Model(self.definition, self.plans, self.looks).stands()
        found = {node.name: stored.nodes.get(node.name, NodeState()).status for node in self.definition.nodes}
        assert stored.status == status
        assert {name: "ACTIVE" if state.active else state.value for name, state in found.items()} == nodes
        assert set(step.to_begin) == begins
        assert len(step.to_begin) == len(begins)
        assert bool(step.problem) == (status not in {"RUNNING", "COMPLETED"})
        assert (step.wake_at is None) == (status != "RUNNING")

    def _keep_what_ended(self, step: Step) -> None:
        for name in step.changed:
            assert not self.run.nodes.get(name, NodeState()).ended, "what ended never changes"
            assert step.changed[name].completed_at == after(self.now)

    def _cancel_what_runs(self, step: Step) -> None:
        ran = {name for name, state in self.run.nodes.items() if state.active}
        cut = {name for name, state in step.changed.items() if state.status in {"CANCELLED", "TIMEOUT"}}
        kinds = RunbookWork, NotifyWork, WebhookWork
        outside = {node.name for node in self.definition.nodes if isinstance(node.work, kinds)}
        assert set(step.to_cancel) == ran & cut & outside

    def _before_wake(self, step: Step) -> int:
        wake = TOTAL if step.wake_at is None else int((step.wake_at - START).total_seconds())
        return max(self.now, wake - 1)

    def _expect_nothing(self, heard: Mapping[str, Ended], at: int) -> None:
        again = advance(self.definition, self.run, heard, after(at))
        assert (dict(again.changed), list(again.to_begin), list(again.to_cancel)) == ({}, [], [])
        assert (again.status, again.problem) == (self.run.status, self.run.problem)

    @rule(heard=st.dictionaries(st.sampled_from(NAMES), ENDINGS, max_size=4), later=st.sampled_from([0, 0, 0, 10, 30]))
    def hear_of_anything(self, heard: Mapping[str, Ended], later: int) -> None:
        self.now += later
        self.look({name: ended for name, ended in heard.items() if name in self.plans})

    @rule(data=st.data(), ended=ENDINGS)
    def hear_of_what_is_active(self, data: st.DataObject, ended: Ended) -> None:
        active = [name for name, state in self.run.nodes.items() if state.active]
        self.look({data.draw(st.sampled_from(active)): ended} if active else {})

    @rule()
    def hear_the_same_again(self) -> None:
        self.look(self.looks[-1].heard)

    @rule()
    def look_until_nothing_begins(self) -> None:
        while self.look({}).to_begin:
            pass

    @rule(long=st.booleans())
    def wake(self, *, long: bool) -> None:
        wake_at = self.last.wake_at
        self.now = max(self.now, int((wake_at - START).total_seconds()) if wake_at else self.now)
        self.now += 50 if long else 0
        self.look({})

    @precondition(lambda self: len(self.looks) > 2)
    @rule(cancel=st.booleans(), stop=st.booleans())
    def ask_for_its_end(self, *, cancel: bool, stop: bool) -> None:
        cancelled, stopped = self.run.cancel_requested or cancel, self.run.stop_reason or ("the brake" if stop else "")
        self.run = replace(self.run, cancel_requested=cancelled, stop_reason=stopped)

    def teardown(self) -> None:
        """Every run ends: once all is in, or where nothing is ever heard again, by its time."""
        if not hasattr(self, "last"):
            return
        everything = len(self.looks) % 2 == 0
        for _ in range(4 * len(self.plans) + 4):
            if self.run.status.ended:
                break
            if everything:
                self.look({name: Ended(True) for name, state in self.run.nodes.items() if state.active})
            elif self.last.to_begin:
                self.look({})
            else:
                self.wake(long=False)
        assert self.run.status.ended
        assert all(state.ended for state in self.run.nodes.values())
        self._expect_nothing({name: Ended(False) for name in self.plans}, self.now + TOTAL)


TestRuns = Runs.TestCase
TestRuns.settings = settings(
    max_examples=150, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
