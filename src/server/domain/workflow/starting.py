"""How a node begins: the state it has from then on, and what is to be done outside for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from kernel.execution.content import ParameterDefinition
from server.domain.parameter import CheckedParameters
from server.domain.permission import Role
from server.domain.workflow.context import Context
from server.domain.workflow.definition import Compensation, Header, Json, Node
from server.domain.workflow.run import NodeState, RunState


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
    raise NotImplementedError


def offer_compensation(compensation: Compensation, now: datetime) -> NodeState:
    """Answers the state of an offer to undo: WAITING until `due_at`."""
    raise NotImplementedError


def begin_compensation(
    compensation: Compensation,
    offer: NodeState,
    context: Context,
    now: datetime,
    parameters: Sequence[ParameterDefinition] | None,
) -> Begun:
    """Answers how an offer that was approved goes on: RUNNING without a deadline (its version's limit holds)."""
    raise NotImplementedError


def refused(begun: Begun, problem: str, now: datetime) -> NodeState:
    """Answers the state of a node whose effect could not be had after all."""
    raise NotImplementedError
