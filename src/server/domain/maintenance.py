"""Maintenances: work that is announced before it is done, and what moves one on: somebody, or else the clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from server.domain.etag import etag, require_etag
from server.domain.runbook import illegal_transition
from server.domain.violation import Violations

MOST_COMPONENTS = 500
EARLIEST_BEGIN = timedelta(days=1)
LATEST_BEGIN = timedelta(days=731)
LONGEST = timedelta(days=30)


class MaintenanceStatus(StrEnum):
    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN_PROGRESS"
    VERIFYING = "VERIFYING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


SCHEDULED, IN_PROGRESS, VERIFYING, COMPLETED, CANCELLED = MaintenanceStatus
ACTIVE = frozenset({IN_PROGRESS, VERIFYING})
ENDED = frozenset({COMPLETED, CANCELLED})

MOVES: dict[MaintenanceStatus, frozenset[MaintenanceStatus]] = {
    SCHEDULED: frozenset({IN_PROGRESS, VERIFYING, COMPLETED, CANCELLED}),
    IN_PROGRESS: frozenset({VERIFYING, COMPLETED}),
    VERIFYING: frozenset({COMPLETED}),
    COMPLETED: frozenset(),
    CANCELLED: frozenset(),
}

SENTENCES: dict[MaintenanceStatus, str] = {
    SCHEDULED: "This maintenance has been scheduled.",
    IN_PROGRESS: "This maintenance is under way.",
    VERIFYING: "The work is done, and we are verifying that everything works.",
    COMPLETED: "This maintenance has been completed.",
    CANCELLED: "This maintenance has been called off.",
}
"""What the platform says of a move of which nobody said anything."""


@dataclass(frozen=True, slots=True)
class MaintenanceUpdate:
    """One thing that was said; no author means the platform."""

    id: UUID
    maintenance_id: UUID
    status: MaintenanceStatus
    message: str
    created_by: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A maintenance as it is kept; its updates are newest first, and left out where nobody asked for them."""

    id: UUID
    status_page_id: UUID
    title: str
    component_ids: Sequence[UUID]
    status: MaintenanceStatus
    scheduled_for: datetime
    scheduled_until: datetime
    started_at: datetime | None
    ended_at: datetime | None
    revision: int
    created_by: UUID
    created_at: datetime
    updated_at: datetime
    told_at: datetime
    """When anything last changed that everybody sees who sees it at all: so anything but its components."""
    updates: Sequence[MaintenanceUpdate] = field(default=(), repr=False)

    @property
    def etag(self) -> str:
        return etag(self.id, self.revision)

    def require_etag(self, wanted: str) -> None:
        require_etag("maintenance", self.etag, wanted)

    def due(self, now: datetime) -> MaintenanceStatus | None:
        """Answers where the clock moves it next, if its time has come."""
        if self.status is SCHEDULED and self.scheduled_for <= now:
            return IN_PROGRESS
        if self.status in ACTIVE and self.scheduled_until <= now:
            return COMPLETED
        return None


def check_times(violations: Violations, begins: datetime, ends: datetime) -> None:
    if ends <= begins:
        violations.add("maintenance.scheduled_until", "must be after scheduled_for")
    elif ends - begins > LONGEST:
        violations.add("maintenance.scheduled_until", f"must be at most {LONGEST.days} days after scheduled_for")


def check_begin(violations: Violations, begins: datetime, now: datetime) -> None:
    if not now - EARLIEST_BEGIN <= begins <= now + LATEST_BEGIN:
        violations.add("maintenance.scheduled_for", "must be at most a day ago, and at most two years ahead")


def move(maintenance: Maintenance, to: MaintenanceStatus, at: datetime) -> Maintenance:
    """Answers the maintenance moved on, with the times of it; what is said of the move is said by `tell`."""
    if to not in MOVES[maintenance.status]:
        raise illegal_transition("the maintenance", maintenance.status, to)
    return replace(
        maintenance,
        status=to,
        started_at=maintenance.started_at or (None if to is CANCELLED else at),
        ended_at=at if to in ENDED else None,
    )


def tell(maintenance: Maintenance, message: str, *, update_id: UUID, by: UUID | None, at: datetime) -> Maintenance:
    """Answers the maintenance with one more update; an empty message: the platform's sentence, and it is the author."""
    author = by if message else None
    text = message or SENTENCES[maintenance.status]
    update = MaintenanceUpdate(update_id, maintenance.id, maintenance.status, text, author, at)
    return replace(maintenance, updates=(update, *maintenance.updates))
