"""How a node begins: the state it has from then on, and what is to be done outside for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from kernel.errors import InvalidArgument
from kernel.execution.content import ParameterDefinition
from server.domain.parameter import CheckedParameters, check_values
from server.domain.permission import Role
from server.domain.workflow.context import Context
from server.domain.workflow.definition import (
    ApprovalWork,
    ConditionWork,
    DelayWork,
    Header,
    Json,
    Node,
    NotifyWork,
    RunbookWork,
    WebhookWork,
)
from server.domain.workflow.filling import fill_parameters
from server.domain.workflow.language import TemplateProblem, fill_all, fill_text, holds, parse_condition
from server.domain.workflow.run import NodeState, NodeStatus, RunState
from server.domain.workflow.setting import LONGEST_BODY, LONGEST_QUESTION, LONGEST_SUBJECT, why_no_address


@dataclass(frozen=True, slots=True)
class StartExecution:
    """Accept an execution of the runbook's current version. Of a detached one nobody waits for the end."""

    runbook_id: UUID
    parameters: CheckedParameters
    given: Mapping[str, Json] = field(repr=False)
    """The values before they were checked, with nothing masked and no default filled in: what an Execute would send."""
    detached: bool


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Tell the channels; none: all enabled ones of the team."""

    channel_ids: Sequence[UUID]
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class CallWebhook:
    url: str
    method: str
    body: Mapping[str, Json] | None
    headers: Sequence[Header]
    signing_secret_name: str


@dataclass(frozen=True, slots=True)
class AskApproval:
    """Let the team's members of at least `role` know that they are asked; never whoever started the run."""

    role: Role
    question: str


Effect: TypeAlias = StartExecution | SendMessage | CallWebhook | AskApproval


@dataclass(frozen=True, slots=True)
class Begun:
    """A node that begins: how it stands from now on, and what to do for it in the same transaction.

    Without an effect there is nothing to do: it has ended already (a condition, or what could not begin), or only waits
    for its time (a delay). A detached execution has succeeded as soon as it is accepted; where that is refused after
    all, `refused` answers what to store instead.
    """

    state: NodeState
    effect: Effect | None = None


def begin(
    node: Node, run: RunState, context: Context, now: datetime, parameters: Sequence[ParameterDefinition] | None = None
) -> Begun:
    """Answers how `node` begins; what cannot be filled in is a FAILED state with its problem, never an error.

    `parameters` are the definitions of the current version of a runbook node's runbook; None: it cannot run any more.
    """
    own_end = now + timedelta(seconds=node.timeout_seconds) if node.timeout_seconds else run.deadline
    state = NodeState(NodeStatus.RUNNING, started_at=now, deadline=min(own_end, run.deadline))
    try:
        return _begin(node, state, context, now, parameters)
    except TemplateProblem as problem:
        return Begun(failed(state, str(problem), now))


def begin_runbook(
    work: RunbookWork,
    state: NodeState,
    context: Context,
    now: datetime,
    parameters: Sequence[ParameterDefinition] | None,
) -> Begun:
    """Answers how a runbook begins in `state`, which is RUNNING. Raises TemplateProblem where it cannot."""
    if parameters is None:
        raise TemplateProblem("its runbook cannot be run any more")
    given = fill_parameters(work.parameters, context, parameters)
    try:
        checked = check_values(parameters, given)
    except InvalidArgument as refusal:
        raise TemplateProblem(str(refusal)) from None
    effect = StartExecution(work.runbook_id, checked, given, work.detached)
    ends = replace(state, status=NodeStatus.SUCCEEDED, completed_at=now)
    return Begun(ends if work.detached else state, effect)


def refused(begun: Begun, problem: str, now: datetime) -> NodeState:
    """Answers the state of a node whose effect could not be had after all."""
    return failed(begun.state, problem, now)


def failed(state: NodeState, problem: str, now: datetime) -> NodeState:
    return replace(state, status=NodeStatus.FAILED, problem=problem, completed_at=now)


def _begin(
    node: Node,
    state: NodeState,
    context: Context,
    now: datetime,
    parameters: Sequence[ParameterDefinition] | None,
) -> Begun:
    match node.work:
        case RunbookWork() as work:
            return begin_runbook(work, state, context, now, parameters)
        case ConditionWork(expression):
            output = {"result": holds(parse_condition(expression), context)}
            return Begun(replace(state, status=NodeStatus.SUCCEEDED, output=output, completed_at=now))
        case NotifyWork() as work:
            return Begun(state, _message(work, context))
        case WebhookWork() as work:
            return Begun(state, _webhook(work, context))
        case DelayWork(seconds):
            return Begun(replace(state, due_at=now + timedelta(seconds=seconds)))
        case ApprovalWork() as work:
            due_at = now + timedelta(seconds=work.expires_seconds) if work.expires_seconds else None
            asked = AskApproval(work.role, _cut(fill_text(work.question, context), LONGEST_QUESTION))
            return Begun(replace(state, status=NodeStatus.WAITING, due_at=due_at), asked)


def _message(work: NotifyWork, context: Context) -> SendMessage:
    """What is too long is cut: half a message at three in the morning is better than none."""
    subject = " ".join(fill_text(work.subject, context).split())
    if not subject:
        raise TemplateProblem("its subject is empty")
    body = fill_text(work.body, context)
    return SendMessage(tuple(work.channel_ids), _cut(subject, LONGEST_SUBJECT), _cut(body, LONGEST_BODY))


def _webhook(work: WebhookWork, context: Context) -> CallWebhook:
    url = fill_text(work.url, context)
    if problem := why_no_address(url):
        raise TemplateProblem(f"its address {problem}")
    body = fill_all(work.body, context)
    kept = body if isinstance(body, Mapping) else None
    return CallWebhook(url, work.method, kept, tuple(work.headers), work.signing_secret_name)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
