"""Where a run of a workflow and each of its nodes stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from server.domain.workflow.definition import Json


class NodeStatus(StrEnum):
    PENDING = "PENDING"
    """An edge into it is undecided."""
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    """For somebody's word."""
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    """No way led to it."""
    CANCELLED = "CANCELLED"
    """Cut off with its run."""
    TIMEOUT = "TIMEOUT"
    """Its own time was over."""

    @property
    def active(self) -> bool:
        return self in {NodeStatus.RUNNING, NodeStatus.WAITING}

    @property
    def ended(self) -> bool:
        return self is not NodeStatus.PENDING and not self.active


class RunStatus(StrEnum):
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMEOUT = "TIMEOUT"
    STOPPED = "STOPPED"
    """By the workflow's brake."""

    @property
    def ended(self) -> bool:
        return self is not RunStatus.RUNNING


@dataclass(frozen=True, slots=True)
class NodeState:
    """One node of one run. `deadline` is set while it is active; `due_at` is a delay's end, an approval's expiry."""

    status: NodeStatus = NodeStatus.PENDING
    problem: str = ""
    output: Mapping[str, Json] = field(default_factory=dict)
    started_at: datetime | None = None
    deadline: datetime | None = None
    due_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def active(self) -> bool:
        return self.status.active

    @property
    def ended(self) -> bool:
        return self.status.ended


@dataclass(frozen=True, slots=True)
class Ended:
    """How the work of an active node ended, as was found outside: by an execution, a delivery, or somebody's word."""

    succeeded: bool
    output: Mapping[str, Json] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RunState:
    """A run: its nodes by name, and whether and why it is being ended early."""

    created_at: datetime
    deadline: datetime
    nodes: Mapping[str, NodeState]
    status: RunStatus = RunStatus.RUNNING
    cancel_requested: bool = False
    stop_reason: str = ""
    """What its brake says; empty: nothing."""
    problem: str = ""
    """Why it ended otherwise than well; empty while it has not."""
