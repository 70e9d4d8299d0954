"""Events of the audit as they are read, and their places in the chain; `kernel.audit` is how they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class AuditOutcome(StrEnum):
    DONE = "DONE"
    DENIED = "DENIED"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What somebody did or was denied."""

    id: int
    time: datetime
    actor_id: UUID | None
    action: str
    team_id: UUID | None
    resource_type: str
    resource_id: str
    detail: Mapping[str, object]
    outcome: AuditOutcome
    peer: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Seal:
    """A place in the chain."""

    position: int
    previous_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """What is kept under one id: an event not sealed yet, a sealed one, or a seal whose event somebody took away."""

    event_id: int
    event: AuditEvent | None
    seal: Seal | None
