"""A run of a workflow as it is kept: its state, and what ties each node to work outside of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from server.domain.permission import Role
from server.domain.workflow.definition import Definition, Event, Json
from server.domain.workflow.run import NodeState, RunState, RunStatus

COMPENSATION = ""
"""The name under which the offer of a run's compensation is kept; no node can have it."""


class Awaits(StrEnum):
    """What the work of an active node is, where it goes on outside of the run."""

    EXECUTION = "EXECUTION"
    DELIVERY = "DELIVERY"
    DECISION = "DECISION"


@dataclass(frozen=True, slots=True)
class Decision:
    """Somebody's word on an approval."""

    approved: bool
    comment: str
    by: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class NodeRun:
    """A node that has begun or was skipped. `decision` is a word that was given."""

    name: str
    state: NodeState
    awaits: Awaits | None = None
    execution_id: UUID | None = None
    question: str = ""
    role: Role | None = None
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """A run. `nodes` has those that are no longer PENDING, by name; lists leave them and the definition's out."""

    id: UUID
    workflow_id: UUID
    workflow_version: int
    team_id: UUID
    incident_id: UUID | None
    event: Event
    event_id: UUID | None
    triggered_by: UUID | None
    trigger: Mapping[str, Json]
    definition: Definition
    created_at: datetime
    deadline: datetime
    status: RunStatus = RunStatus.RUNNING
    problem: str = ""
    stop_reason: str = ""
    cancel_requested_at: datetime | None = None
    cancel_requested_by: UUID | None = None
    wake_at: datetime | None = None
    completed_at: datetime | None = None
    revision: int = 1
    nodes: Mapping[str, NodeRun] = field(default_factory=dict)

    @property
    def state(self) -> RunState:
        """Answers what the engine knows of the run."""
        return RunState(
            created_at=self.created_at,
            deadline=self.deadline,
            nodes={node.name: self.node_state(node.name) for node in self.definition.nodes},
            status=self.status,
            cancel_requested=self.cancel_requested_at is not None,
            stop_reason=self.stop_reason,
        )

    def node_state(self, name: str) -> NodeState:
        known = self.nodes.get(name)
        return NodeState() if known is None else known.state

    @property
    def compensation(self) -> NodeRun | None:
        return self.nodes.get(COMPENSATION)

    @property
    def settled(self) -> bool:
        """Whether nothing of it can change any more: it has ended, and so has the offer to undo it, if there is one."""
        offer = self.compensation
        return self.status.ended and (offer is None or offer.state.status.ended)
