"""A page as one audience sees it, and what decides what that is.

An audience with a scope is told nothing by what it does not see: not by a status, a headline, a number, a time or an
order. So everything here is computed from what is left once all else has been taken away.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from uuid import UUID

from server.domain.component import Component, ComponentStatus, ShownComponent, worst
from server.domain.incident import OPERATIONAL, Incident, IncidentStatus, IncidentUpdate
from server.domain.maintenance import CANCELLED, Maintenance, MaintenanceStatus, MaintenanceUpdate
from server.domain.page_day import PageDay
from server.domain.status_page import Headline, StatusPage
from server.domain.uptime import Uptime


class ImpactLevel(Enum):
    """How bad an incident is, as the public v2 status API words it."""

    NONE = "NONE"
    MINOR = "MINOR"
    MAJOR = "MAJOR"
    CRITICAL = "CRITICAL"


LEVELS = {
    ComponentStatus.OPERATIONAL: ImpactLevel.NONE,
    ComponentStatus.DEGRADED_PERFORMANCE: ImpactLevel.MINOR,
    ComponentStatus.PARTIAL_OUTAGE: ImpactLevel.MAJOR,
    ComponentStatus.MAJOR_OUTAGE: ImpactLevel.CRITICAL,
}


@dataclass(frozen=True, slots=True)
class ShownIncident:
    """An incident as one audience sees it."""

    id: UUID
    title: str
    status: IncidentStatus
    impact: ImpactLevel
    components: Sequence[tuple[UUID, ComponentStatus]]
    updates: Sequence[IncidentUpdate]
    started_at: datetime
    monitoring_at: datetime | None
    resolved_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ShownMaintenance:
    """A maintenance as one audience sees it."""

    id: UUID
    title: str
    status: MaintenanceStatus
    component_ids: Sequence[UUID]
    updates: Sequence[MaintenanceUpdate]
    scheduled_for: datetime
    scheduled_until: datetime
    started_at: datetime | None
    ended_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ShownPage:
    """A page as one audience sees it; `version` tells of other things too, and is never to be shown."""

    page: StatusPage
    headline: Headline
    components: Sequence[ShownComponent]
    incidents: Sequence[ShownIncident] = ()
    maintenances: Sequence[ShownMaintenance] = ()
    uptimes: Sequence[Uptime] = ()
    version: int = 0
    expires_at: datetime | None = None

    @property
    def updated_at(self) -> datetime:
        """When anything that this audience sees last changed."""
        parts: list[Sequence[ShownComponent | ShownIncident | ShownMaintenance]] = [
            self.components,
            self.incidents,
            self.maintenances,
        ]
        return max([self.page.updated_at, *(thing.updated_at for things in parts for thing in things)])


class Audience:
    """Which components of a page somebody sees, and what of incidents and maintenances follows from that.

    A component that is no more is in no list, but what incidents did to it still counts for who saw it by its own id,
    or sees everything.
    """

    def __init__(self, components: Sequence[Component], seen: Sequence[ShownComponent], scope: Collection[UUID]):
        self._order = {component.id: place for place, component in enumerate(seen) if not component.is_group}
        self._children: dict[UUID, list[UUID]] = {}
        for component in seen:
            if component.group_id is not None:
                self._children.setdefault(component.group_id, []).append(component.id)
        self._scope = frozenset(scope)
        self._existing = frozenset(component.id for component in components)

    def sees(self, component_id: UUID) -> bool:
        if component_id in self._existing:
            return component_id in self._order
        return not self._scope or component_id in self._scope

    def incident(self, incident: Incident) -> ShownIncident | None:
        """Answers what is seen of it; None: it only ever affected what is hidden."""
        affected = [impact for impact in incident.impacts if impact.worst is not OPERATIONAL]
        seen = [impact for impact in affected if self.sees(impact.component_id)]
        if affected and not seen and self._scope:
            return None
        present = sorted((i for i in seen if i.component_id in self._order), key=lambda i: self._order[i.component_id])
        return ShownIncident(
            id=incident.id,
            title=incident.title,
            status=incident.status,
            impact=LEVELS[worst(impact.worst for impact in seen)],
            components=[(impact.component_id, impact.status) for impact in present],
            updates=[self._update(update) for update in incident.updates],
            started_at=incident.started_at,
            monitoring_at=incident.monitoring_at,
            resolved_at=incident.resolved_at,
            created_at=incident.created_at,
            # Not the incident's own: that somebody took it on, or what it did to others, is not for everybody.
            updated_at=max([incident.created_at, *(update.created_at for update in incident.updates)]),
        )

    def maintenance(self, maintenance: Maintenance) -> ShownMaintenance | None:
        """Answers what is seen of it; None: it is of what is hidden alone, or called off."""
        if maintenance.status is CANCELLED:
            return None
        named = {leaf for wanted in maintenance.component_ids for leaf in self._leaves(wanted)}
        if self._scope and not named and self._scope.isdisjoint(maintenance.component_ids):
            return None
        return ShownMaintenance(
            id=maintenance.id,
            title=maintenance.title,
            status=maintenance.status,
            component_ids=sorted(named, key=self._order.__getitem__),
            # Who of the team wrote them is not for those who read the page.
            updates=[replace(update, created_by=None) for update in maintenance.updates],
            scheduled_for=maintenance.scheduled_for,
            scheduled_until=maintenance.scheduled_until,
            started_at=maintenance.started_at,
            ended_at=maintenance.ended_at,
            created_at=maintenance.created_at,
            updated_at=maintenance.told_at,
        )

    def _leaves(self, component_id: UUID) -> Sequence[UUID]:
        if component_id in self._order:
            return (component_id,)
        return self._children.get(component_id, ())

    def _update(self, update: IncidentUpdate) -> IncidentUpdate:
        """Leaves out what it changed for others, and who of the team wrote it."""
        changes = [change for change in update.impact_changes if change.component_id in self._order]
        changes.sort(key=lambda change: self._order[change.component_id])
        return replace(update, impact_changes=changes, created_by=None)


def affected_days(uptime: Uptime, incidents: Sequence[Incident], page_days: Sequence[PageDay]) -> Uptime:
    """Answers the uptime with the incidents that affected the component on each of its days, newest first."""
    newest = sorted(incidents, key=lambda incident: incident.id, reverse=True)
    spans = [(incident.id, span) for incident in newest for span in _affected(incident, uptime.component_id)]
    if not spans:
        return uptime
    days = []
    for day, page_day in zip(uptime.days, page_days, strict=True):
        begin, end = page_day.begins, page_day.ends
        ids = [i for i, (since, until) in spans if since < end and (until is None or until > begin or since >= begin)]
        days.append(replace(day, incident_ids=list(dict.fromkeys(ids))) if day.known and ids else day)
    return replace(uptime, days=days)


def _affected(incident: Incident, component_id: UUID) -> list[tuple[datetime, datetime | None]]:
    """Answers from when until when the incident affected the component; no end: it does."""
    spans: list[tuple[datetime, datetime | None]] = []
    since: datetime | None = None
    for update in reversed(incident.updates):
        for change in update.impact_changes:
            if change.component_id != component_id:
                continue
            if since is None and change.old_status is not OPERATIONAL:
                since = incident.created_at  # what was said before is not at hand
            if change.new_status is OPERATIONAL and since is not None:
                spans.append((since, update.created_at))
                since = None
            elif change.new_status is not OPERATIONAL and since is None:
                since = update.created_at
    return [*spans, (since, None)] if since is not None else spans
