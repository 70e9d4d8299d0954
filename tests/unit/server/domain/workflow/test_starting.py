"""How nodes begin and their work ends, and what comes of an offer to undo."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from kernel.execution.content import ParameterDefinition, ParameterType
from kernel.execution.status import ExecutionStatus
from server.domain.permission import Role
from server.domain.workflow import compensation
from server.domain.workflow.definition import (
    Compensation,
    ConditionWork,
    Header,
    Json,
    NotifyWork,
    RunbookWork,
    WebhookWork,
    Work,
)
from server.domain.workflow.ending import decided, delivered, executed
from server.domain.workflow.run import Ended, NodeState, NodeStatus, RunStatus
from server.domain.workflow.starting import AskApproval, Begun, CallWebhook, SendMessage, StartExecution, begin, refused
from server.domain.workflow.value import Open
from tests.unit.server.domain.workflow.building import (
    APPROVAL,
    DELAY,
    RUNBOOK_ID,
    a_definition,
    a_node,
    a_run,
    after,
    ended,
)

DEFINITIONS = (
    ParameterDefinition("host", ParameterType.STRING, pattern="[a-z0-9-]+"),
    ParameterDefinition("count", ParameterType.INTEGER, default=1),
    ParameterDefinition("force", ParameterType.BOOLEAN),
    ParameterDefinition("key", ParameterType.STRING, sensitive=True),
)
CONTEXT: dict[str, Any] = {
    "incident": {"title": "Disk\nfull", "labels": Open({"host": "db-1"})},
    "nodes": {"x": {"output": {"n": 5, "s": "7", "none": None, "key": "k" * 9, "long": "x" * 20_000, "host": "Bad!"}}},
}


def begun(work: Work, *, timeout: int = 0, known: bool = True, context: dict[str, Any] = CONTEXT) -> Begun:
    run = a_run(a_definition("a", timeout=100))
    return begin(a_node("a", work, timeout=timeout), run, context, after(40), DEFINITIONS if known else None)


def given(parameters: dict[str, Json]) -> dict[str, Json]:
    effect = begun(RunbookWork(RUNBOOK_ID, parameters)).effect
    assert isinstance(effect, StartExecution)
    return dict(effect.given)


def test_a_runbook_is_given_what_its_definitions_ask_for() -> None:
    assert given({"count": "{{ nodes.x.output.n }}"}) == {"count": 5}
    assert given({"count": " {{ nodes.x.output.s }}0"}) == {"count": 70}
    assert given({"force": "{{ 'True' }}"}) == {"force": True}
    assert given({"host": "{{ nodes.x.output.n }}"}) == {"host": "5"}
    assert given({"host": "{{ nodes.x.output.none }}"}) == {}
    assert given({"host": "db-{{ nodes.x.output.n }}", "count": 3}) == {"host": "db-5", "count": 3}


def test_a_sensitive_value_is_masked_but_for_the_sandbox() -> None:
    effect = begun(RunbookWork(RUNBOOK_ID, {"key": "{{ nodes.x.output.key }}"})).effect
    assert isinstance(effect, StartExecution)
    assert effect.parameters.visible == {"count": 1, "key": "********"}
    assert effect.parameters.sensitive == {"key": "k" * 9}
    assert "kkk" not in repr(effect)


@pytest.mark.parametrize(
    ("work", "problem"),
    [
        (RunbookWork(RUNBOOK_ID, {"host": "{{ nodes.x.output.no }}"}), "parameters.host: nodes.x.output.no is"),
        (RunbookWork(RUNBOOK_ID, {"host": "{{ nodes.x.output.host }}"}), "parameters.host: must match the pattern"),
        (RunbookWork(RUNBOOK_ID, {"gone": 1}), "parameters.gone: is not a parameter of this version"),
        (ConditionWork("nodes.x.output.nothing"), "nodes.x.output.nothing is not there"),
        (NotifyWork((), "{{ '' }}"), "its subject is empty"),
        (WebhookWork("https://example.org/{{ incident.title }}"), "its address must have no spaces"),
    ],
)  # fmt: skip
def test_what_cannot_be_filled_in_is_a_failure_with_its_problem(work: Work, problem: str) -> None:
    found = begun(work)
    assert (found.effect, found.state.status) == (None, NodeStatus.FAILED)
    assert found.state.problem.startswith(problem)
    assert (found.state.started_at, found.state.completed_at) == (after(40), after(40))


def test_a_runbook_that_cannot_run_any_more_is_a_failure() -> None:
    assert begun(RunbookWork(RUNBOOK_ID), known=False).state.problem == "its runbook cannot be run any more"


@pytest.mark.parametrize(("timeout", "deadline"), [(0, 100), (50, 90), (90, 100)])
def test_a_node_has_its_time_and_never_more_than_its_run(timeout: int, deadline: int) -> None:
    state = begun(RunbookWork(RUNBOOK_ID), timeout=timeout).state
    assert (state.status, state.deadline, state.started_at) == (NodeStatus.RUNNING, after(deadline), after(40))


def test_a_detached_runbook_has_succeeded_unless_it_is_refused() -> None:
    found = begun(RunbookWork(RUNBOOK_ID, detached=True))
    assert (found.state.status, found.state.completed_at) == (NodeStatus.SUCCEEDED, after(40))
    state = refused(found, "the team may run no more", after(41))
    assert (state.status, state.problem, state.completed_at) == (
        NodeStatus.FAILED,
        "the team may run no more",
        after(41),
    )


def test_each_kind_of_work_begins_in_its_way() -> None:
    condition = begun(ConditionWork("nodes.x.output.n == 5"))
    assert (condition.state.status, condition.state.output) == (NodeStatus.SUCCEEDED, {"result": True})
    assert begun(DELAY).state.due_at == after(70)
    approval = begun(replace(APPROVAL, question="{{ nodes.x.output.long }}", expires_seconds=20))
    assert (approval.state.status, approval.state.due_at) == (NodeStatus.WAITING, after(60))
    assert approval.effect == AskApproval(Role.RESPONDER, "x" * 999 + "…")
    assert begun(APPROVAL).state.due_at is None
    message = begun(NotifyWork((UUID(int=1),), "{{ incident.title }}!", "{{ nodes.x.output.long }}"))
    assert message.effect == SendMessage((UUID(int=1),), "Disk full!", "x" * 9_999 + "…")
    headers = (Header("X-A", "", "TOKEN"),)
    body = {"host": "{{ incident.labels.host }}", "n": ["{{ nodes.x.output.n }}"]}
    hook = begun(WebhookWork("https://example.org/{{ incident.title|urlencode }}", "PUT", body, headers, "S"))
    url = "https://example.org/Disk%0Afull"
    assert hook.effect == CallWebhook(url, "PUT", {"host": "db-1", "n": [5]}, headers, "S")


def test_an_execution_ends_its_node_by_its_status() -> None:
    ok = executed(ExecutionStatus.COMPLETED, exit_code=0, stdout="x" * 5000, stderr="", output={"a": 1})
    assert (ok.succeeded, ok.problem, len(str(ok.output["stdout"]))) == (True, "", 4096)
    assert ok.output["output"] == {"a": 1}
    bad = executed(ExecutionStatus.FAILED, exit_code=3, stdout="", stderr="", output=None)
    assert (bad.succeeded, bad.problem) == (False, "its script ended with exit code 3")
    late = executed(ExecutionStatus.TIMEOUT, exit_code=None, stdout="", stderr="", output=None)
    assert late.problem == "its execution ran out of time"
    lost = executed(ExecutionStatus.FAILED, exit_code=None, stdout="", stderr="", output=None, problem="it was lost")
    assert lost.problem == "it was lost"


def test_a_delivery_and_a_word_end_their_nodes() -> None:
    assert delivered(True, status_code=204) == Ended(True, {"status_code": 204})
    assert delivered(False).problem == "it could not be delivered"
    no = decided(False, comment="not now", decided_by="Ada")
    assert no == Ended(False, {"decision": "REJECT", "comment": "not now", "decided_by": "Ada"}, "Ada said no")
    assert decided(True, comment="", decided_by="Ada").succeeded


UNDO = Compensation(RunbookWork(RUNBOOK_ID, {"host": "{{ incident.labels.host }}"}), Role.TEAM_ADMIN, 60)


def test_undoing_is_offered_where_there_is_something_to_undo() -> None:
    definition = replace(a_definition("a", a_node("b", DELAY)), compensation=UNDO)
    run = a_run(definition, a=ended(NodeStatus.FAILED))
    assert compensation.is_offered(definition, replace(run, status=RunStatus.STOPPED))
    assert not compensation.is_offered(definition, replace(run, status=RunStatus.COMPLETED))
    assert not compensation.is_offered(definition, run)
    assert not compensation.is_offered(replace(definition, compensation=None), replace(run, status=RunStatus.FAILED))
    only_delayed = a_run(definition, b=ended(NodeStatus.FAILED), a=NodeState(NodeStatus.CANCELLED))
    assert not compensation.is_offered(definition, replace(only_delayed, status=RunStatus.FAILED))


def test_an_offer_is_taken_up_turned_down_or_runs_out() -> None:
    offer = compensation.offer(UNDO, after(0))
    assert (offer.status, offer.due_at) == (NodeStatus.WAITING, after(60))
    assert compensation.settle(offer, None, after(59)) == offer
    assert compensation.settle(offer, None, after(60)).status is NodeStatus.SKIPPED
    no = compensation.settle(offer, decided(False, comment="", decided_by="Ada"), after(5))
    assert (no.status, no.problem) == (NodeStatus.SKIPPED, "Ada said no")
    taken = compensation.accept(UNDO, offer, CONTEXT, after(5), DEFINITIONS)
    assert (taken.state.status, taken.state.due_at) == (NodeStatus.RUNNING, None)
    assert isinstance(taken.effect, StartExecution)
    assert taken.effect.given == {"host": "db-1"}
    assert compensation.settle(taken.state, None, after(9000)) == taken.state
    done = compensation.settle(taken.state, Ended(True, {"exit_code": 0}), after(9))
    assert (done.status, done.completed_at) == (NodeStatus.SUCCEEDED, after(9))
    assert compensation.settle(done, Ended(False), after(10)) == done
    assert compensation.settle(taken.state, Ended(False, {}, "exit code 1"), after(9)).status is NodeStatus.FAILED
    assert compensation.accept(UNDO, offer, CONTEXT, after(5), None).state.status is NodeStatus.FAILED
