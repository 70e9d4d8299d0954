"""What a run is moved on with, and where it stands while it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from kernel.cipher import Cipher
from server.domain.workflow.context import Context
from server.domain.workflow.lateness import EVENTS_WITHIN
from server.domain.workflow.record import WorkflowRun
from server.operations.announce import Announcer
from server.operations.change import Change
from server.operations.environment import Environment


@dataclass(frozen=True, slots=True)
class Mover:
    """What runs are moved on with."""

    env: Environment
    cipher: Cipher
    announcer: Announcer
    events_within: timedelta | None = EVENTS_WITHIN
    """How old what happened to an incident may be for workflows to start by it; None: however old."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a node begins: the run as it is by then, what templates speak of, and the one time of the move."""

    tx: Change
    run: WorkflowRun
    context: Context
    now: datetime
