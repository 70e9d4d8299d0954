"""Incidents and maintenances as a page tells them: what is open, what is coming, and what is over, by month."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from markupsafe import Markup

from gateway.languages import Language, Moment
from gateway.view.markdown import html
from gateway.view.marks import COMPONENTS, IMPACTS, INCIDENT_STATUSES, MAINTENANCE_STATUSES, Mark
from oncall.v1 import incident_pb2 as incidents
from oncall.v1 import maintenance_pb2 as maintenances
from oncall.v1.partner_service_pb2 import GetStatusPageResponse
from oncall.v1.shown_status_page_pb2 import ShownIncident, ShownMaintenance

OVER = {incidents.INCIDENT_STATUS_RESOLVED, incidents.INCIDENT_STATUS_POSTMORTEM}
ONGOING = {maintenances.MAINTENANCE_STATUS_IN_PROGRESS, maintenances.MAINTENANCE_STATUS_VERIFYING}


_Update = incidents.IncidentUpdate | maintenances.MaintenanceUpdate


@dataclass(frozen=True, slots=True)
class UpdateView:
    label: str
    message: Markup
    at: Moment


@dataclass(frozen=True, slots=True)
class EventView:
    """An incident or a maintenance; `affected` names its components, with how they are where that is worth telling."""

    id: str
    title: str
    mark: Mark
    label: str
    begin: Moment
    end: Moment | None
    lasted: str
    affected: Sequence[tuple[str, Mark | None]]
    updates: Sequence[UpdateView]


@dataclass(frozen=True, slots=True)
class MonthView:
    name: str
    machine: str
    events: Sequence[EventView]


class Events:
    """Makes views of what happened on one page, in one language."""

    def __init__(self, page: GetStatusPageResponse, language: Language) -> None:
        self._page = page
        self._language = language
        self._names: Mapping[str, str] = {component.id: component.name for component in page.components}

    def open_incidents(self) -> list[EventView]:
        return [self._incident(one) for one in self._page.incidents if one.status not in OVER]

    def ongoing_maintenances(self) -> list[EventView]:
        return [self._maintenance(one) for one in self._page.maintenances if one.status in ONGOING]

    def upcoming_maintenances(self) -> list[EventView]:
        """Answers the soonest first."""
        coming = [one for one in self._page.maintenances if one.status == maintenances.MAINTENANCE_STATUS_SCHEDULED]
        return [self._maintenance(one) for one in sorted(coming, key=lambda one: _utc(one.scheduled_for))]

    def months(self) -> list[MonthView]:
        """Answers what is over by the month of its beginning in UTC, newest first; quiet days are not told."""
        done = [one for one in self._page.maintenances if one.status == maintenances.MAINTENANCE_STATUS_COMPLETED]
        past = [(_utc(one.started_at), self._incident(one)) for one in self._page.incidents if one.status in OVER]
        past += [(_began(one), self._maintenance(one)) for one in done]
        past.sort(key=lambda one: one[0], reverse=True)
        return [
            MonthView(
                self._language.month(datetime(year, month, 1, tzinfo=UTC)), f"{year}-{month:02}", [e for _, e in told]
            )
            for (year, month), told in groupby(past, key=lambda one: (one[0].year, one[0].month))
        ]

    def _incident(self, one: ShownIncident) -> EventView:
        _ = self._language.gettext
        tone, impact = IMPACTS.get(one.impact, Mark("degraded", ""))
        begin, end = _utc(one.started_at), _utc(one.resolved_at) if one.HasField("resolved_at") else None
        is_open = one.status not in OVER
        # What is over affects nothing any more, so that only names are worth telling.
        affected = [(impact.component_id, self._state(impact.status) if is_open else None) for impact in one.components]
        return EventView(
            id=one.id,
            title=one.title,
            mark=Mark(tone, _(impact) if impact else ""),
            label=_(INCIDENT_STATUSES.get(one.status, "")),
            begin=self._moment(begin, is_open),
            end=self._moment(end, is_open) if end else None,
            lasted=self._language.duration(int((end - begin).total_seconds())) if end else "",
            affected=self._affected(affected),
            updates=self._updates(one.updates, INCIDENT_STATUSES),
        )

    def _maintenance(self, one: ShownMaintenance) -> EventView:
        is_over = one.status == maintenances.MAINTENANCE_STATUS_COMPLETED
        begin = _began(one)
        end = _utc(one.ended_at if is_over and one.HasField("ended_at") else one.scheduled_until)
        return EventView(
            id=one.id,
            title=one.title,
            mark=Mark("maintenance", self._language.gettext("Maintenance")),
            label=self._language.gettext(MAINTENANCE_STATUSES.get(one.status, "")),
            begin=self._moment(begin, not is_over),
            end=self._language.until(begin, end),
            lasted=self._language.duration(int((end - begin).total_seconds())),
            affected=self._affected([(component, None) for component in one.component_ids]),
            updates=self._updates(one.updates, MAINTENANCE_STATUSES),
        )

    def _affected(self, components: Sequence[tuple[str, Mark | None]]) -> list[tuple[str, Mark | None]]:
        return [(self._names[component], mark) for component, mark in components if component in self._names]

    def _state(self, status: int) -> Mark | None:
        mark = COMPONENTS.get(status)  # type: ignore[call-overload] # an enum's number, as messages have it
        return Mark(mark.tone, self._language.gettext(mark.label)) if mark else None

    def _updates(self, updates: Iterable[_Update], labels: Mapping[Any, str]) -> list[UpdateView]:
        return [
            UpdateView(
                self._language.gettext(labels.get(update.status, "")),
                html(update.message),
                self._language.short_moment(_utc(update.created_at)),
            )
            for update in updates
        ]

    def _moment(self, at: datetime, in_full: bool) -> Moment:
        return self._language.moment(at) if in_full else self._language.short_moment(at)


def _began(one: ShownMaintenance) -> datetime:
    return _utc(one.started_at if one.HasField("started_at") else one.scheduled_for)


def _utc(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)
