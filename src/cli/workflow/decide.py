"""`oncall workflow approve` and `reject`: somebody's word where a run waits for it."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.confirmation import Yes, require
from cli.connection import connected
from cli.failure import REFUSED, fail
from cli.output import Json, print_json
from cli.visible import visible
from cli.workflow.options import RunId, read_run
from cli.workflow.run_printer import named_steps
from oncall.v1.workflow_pb2 import WORKFLOW_NODE_STATUS_WAITING, WorkflowNodeRun, WorkflowRun
from oncall.v1.workflow_service_pb2 import (
    APPROVAL_DECISION_APPROVE,
    APPROVAL_DECISION_REJECT,
    ApprovalDecision,
    DecideApprovalRequest,
)

StepName = Annotated[
    str,
    typer.Argument(metavar="STEP", help="The step that asks; not needed where only one waits."),
]
Comment = Annotated[str, typer.Option("--comment", "-c", metavar="TEXT", help="Why; later steps may use it.")]
OfCompensation = Annotated[bool, typer.Option("--compensation", help="Decide whether to undo what the run did.")]


def approve(
    run_id: RunId,
    step: StepName = "",
    comment: Comment = "",
    compensation: OfCompensation = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Say yes to what a run asks. Whoever started the run cannot; the first word counts.

    \b
      oncall workflow approve 0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e ask --comment 'Seen on the graph, too.'
      oncall workflow approve 0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e       # shows what it asks, and asks you
    """
    said = _decide(run_id, step, APPROVAL_DECISION_APPROVE, comment, compensation=compensation, yes=yes)
    _tell(*said, "approved", as_json=as_json)


def reject(
    run_id: RunId,
    step: StepName = "",
    comment: Comment = "",
    compensation: OfCompensation = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Say no to what a run asks: its step fails, and the run goes on where an edge leads on from that.

    \b
      oncall workflow reject 0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e ask --comment 'Not during the sale.'
    """
    said = _decide(run_id, step, APPROVAL_DECISION_REJECT, comment, compensation=compensation, yes=yes)
    _tell(*said, "rejected", as_json=as_json)


def _decide(
    run_id: str, step: str, decision: ApprovalDecision.ValueType, comment: str, *, compensation: bool, yes: bool
) -> tuple[WorkflowRun, str]:
    if step and compensation:
        fail("say either which step, or --compensation")
    with connected() as server:
        if not step and not compensation:
            name, waiting = _only_waiting(read_run(server, run_id))
            word = "Approve" if decision == APPROVAL_DECISION_APPROVE else "Reject"
            question = f"{visible(name)} asks: {visible(waiting.question) or 'go on?'}\n{word}?"
            require(question, yes=yes, otherwise="nothing was decided")
            step = waiting.name
        request = DecideApprovalRequest(workflow_run_id=run_id, node=step, decision=decision, comment=comment)
        return server.workflows.DecideApproval(request).workflow_run, step


def _only_waiting(run: WorkflowRun) -> tuple[str, WorkflowNodeRun]:
    waiting = [(name, step) for name, step in named_steps(run) if step.status == WORKFLOW_NODE_STATUS_WAITING]
    if not waiting:
        fail(f"nothing of this run waits for anybody's word: see `oncall workflow status {visible(run.id)}`", REFUSED)
    if len(waiting) > 1:
        fail(f"several steps wait: name one: {', '.join(visible(name) for name, _ in waiting)}")
    return waiting[0]


def _tell(run: WorkflowRun, step: str, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(run)
        return
    what = f"{what} {visible(step) or 'the compensation'}"
    print(f"{what}; `oncall workflow watch {visible(run.id)}` shows what comes of it")
