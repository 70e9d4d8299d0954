"""Incidents: where one stands and may go, what it does to components, and what was said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kernel.errors import FailedPrecondition, FieldViolation, InvalidArgument
from server.domain.component import SEVERITY, ComponentStatus
from server.domain.etag import etag, require_etag
from server.domain.runbook import illegal_transition

OPERATIONAL = ComponentStatus.OPERATIONAL
OPENED = "We are looking into it."
RESOLVED_SENTENCE = "This incident has been resolved."
MOST_OPEN = 200
"""Of one page at one time: each of them is in every answer about it."""


def too_many_open() -> FailedPrecondition:
    message = f"the page has {MOST_OPEN} open incidents, as many as it may: resolve one first"
    return FailedPrecondition(message, reason="TOO_MANY_OPEN_INCIDENTS")


class IncidentSeverity(StrEnum):
    SEV1 = "SEV1"
    SEV2 = "SEV2"
    SEV3 = "SEV3"
    SEV4 = "SEV4"


class IncidentStatus(StrEnum):
    INVESTIGATING = "INVESTIGATING"
    IDENTIFIED = "IDENTIFIED"
    MONITORING = "MONITORING"
    RESOLVED = "RESOLVED"
    POSTMORTEM = "POSTMORTEM"


INVESTIGATING, IDENTIFIED, MONITORING, RESOLVED, POSTMORTEM = IncidentStatus
OPEN = frozenset({INVESTIGATING, IDENTIFIED, MONITORING})

# To stay is to say more. An open incident moves freely; a resolved one may be opened again; what was learnt comes last.
MOVES: dict[IncidentStatus, frozenset[IncidentStatus]] = {
    INVESTIGATING: OPEN | {RESOLVED},
    IDENTIFIED: OPEN | {RESOLVED},
    MONITORING: OPEN | {RESOLVED},
    RESOLVED: OPEN | {RESOLVED, POSTMORTEM},
    POSTMORTEM: OPEN | {POSTMORTEM},
}


@dataclass(frozen=True, slots=True)
class Impact:
    """What an incident does to a component just now, and the worst that it ever did."""

    component_id: UUID
    status: ComponentStatus
    worst: ComponentStatus


@dataclass(frozen=True, slots=True)
class ImpactChange:
    """How an update changed what an incident does to one component."""

    component_id: UUID
    old_status: ComponentStatus
    new_status: ComponentStatus


@dataclass(frozen=True, slots=True)
class IncidentUpdate:
    """One thing that was said; no author means the platform. `severity` is set where it changed."""

    id: UUID
    incident_id: UUID
    status: IncidentStatus
    message: str
    impact_changes: Sequence[ImpactChange]
    created_by: UUID | None
    created_at: datetime
    severity: IncidentSeverity | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as it is kept; its updates are newest first, and left out where nobody asked for them."""

    id: UUID
    team_id: UUID
    service_id: UUID | None
    status_page_id: UUID | None
    title: str
    description: str
    severity: IncidentSeverity
    status: IncidentStatus
    labels: Mapping[str, str]
    started_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: UUID | None
    monitoring_at: datetime | None
    resolved_at: datetime | None
    revision: int
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    impacts: Sequence[Impact] = ()
    updates: Sequence[IncidentUpdate] = field(default=(), repr=False)

    @property
    def etag(self) -> str:
        return etag(self.id, self.revision)

    def require_etag(self, wanted: str) -> None:
        require_etag("incident", self.etag, wanted)

    def changed(self, at: datetime, **changes: object) -> Incident:
        """Answers the incident with `changes`, at its next revision."""
        return replace(self, revision=self.revision + 1, updated_at=at, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody says of an incident; no status, no severity: it stands where it stood."""

    message: str
    status: IncidentStatus | None = None
    impacts: Mapping[UUID, ComponentStatus] = field(default_factory=dict)
    severity: IncidentSeverity | None = None


def tell(incident: Incident, said: Said, *, update_id: UUID, by: UUID | None, at: datetime) -> Incident:
    """Answers the incident once that was said; its newest update is then the first of `updates`.

    RESOLVED ends all impacts; nothing may be named then, or after it, but what ends.
    """
    to = said.status or incident.status
    if to not in MOVES[incident.status]:
        raise illegal_transition("the incident", incident.status, to)
    wanted = dict(said.impacts)
    if to not in OPEN:
        if any(status is not OPERATIONAL for status in wanted.values()):
            raise InvalidArgument([FieldViolation("impacts", f"must be OPERATIONAL with {to}: it affects nothing")])
        wanted |= {impact.component_id: OPERATIONAL for impact in incident.impacts}
    before = {impact.component_id: impact for impact in incident.impacts}
    changes = _changes(before, wanted)
    severity = said.severity or incident.severity
    changed = severity if severity is not incident.severity else None
    update = IncidentUpdate(update_id, incident.id, to, said.message, changes, by, at, changed)
    return incident.changed(
        at,
        status=to,
        severity=severity,
        monitoring_at=incident.monitoring_at or (at if to is MONITORING else None),
        resolved_at=None if to in OPEN else incident.resolved_at or at,
        impacts=_after(before, changes),
        updates=(update, *incident.updates),
    )


def _changes(before: Mapping[UUID, Impact], wanted: Mapping[UUID, ComponentStatus]) -> tuple[ImpactChange, ...]:
    found = []
    for component_id, status in wanted.items():
        old = before[component_id].status if component_id in before else OPERATIONAL
        if old is not status:
            found.append(ImpactChange(component_id, old, status))
    return tuple(found)


def _after(before: Mapping[UUID, Impact], changes: Sequence[ImpactChange]) -> tuple[Impact, ...]:
    after = dict(before)
    for change in changes:
        known = after.get(change.component_id)
        ever = max(known.worst if known else OPERATIONAL, change.new_status, key=SEVERITY.__getitem__)
        after[change.component_id] = Impact(change.component_id, change.new_status, ever)
    return tuple(after.values())
