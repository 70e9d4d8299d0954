"""Maintenances of a page as a calendar to subscribe to (iCalendar, RFC 5545), folded and escaped by a library.

Each stands at the time it is announced for. A calendar program takes a maintenance away that is no longer in it, so
that one that was called off needs no word.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from icalendar import Calendar, Event, Timezone, TimezoneStandard, vText

from gateway.representations.events import address, names, status_word, utc, written
from gateway.representations.rendering import kept, printable, rendering
from gateway.shown import Rendering, Shown
from gateway.view.plain import plain
from oncall.v1.partner_service_pb2 import GetStatusPageResponse
from oncall.v1.shown_status_page_pb2 import ShownMaintenance

MEDIA_TYPE = "text/calendar; charset=utf-8"
PATH = "maintenance.ics"
PRODUCT = "-//oncall//status page//EN"
REFRESH = timedelta(hours=1)
"""How often programs are asked to look."""


def render(shown: Shown, url: str) -> Rendering:
    """Answers the calendar of the page that people read at `url`."""
    return kept(shown, ("calendar", url), lambda: rendering(_calendar(shown.content, url), MEDIA_TYPE))


def _calendar(content: GetStatusPageResponse, url: str) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", vText(printable(content.status_page.name)))
    calendar.add("refresh-interval", REFRESH, {"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT1H")
    for maintenance in content.maintenances:
        calendar.add_component(_event(content, url, maintenance))
    if not content.maintenances:
        calendar.add_component(_utc_zone())
    body: bytes = calendar.to_ical()
    return body


def _event(content: GetStatusPageResponse, url: str, maintenance: ShownMaintenance) -> Event:
    """Answers an event that takes nobody's time.

    Its sequence is the seconds from its creation to its last change: it grows with a new time as with a new word.
    """
    created, changed = utc(maintenance.created_at), utc(maintenance.updated_at)
    event = Event()
    event.add("uid", maintenance.id)
    event.add("dtstamp", _second(changed))
    event.add("created", _second(created))
    event.add("last-modified", _second(changed))
    event.add("sequence", max(int((changed - created).total_seconds()), 0))
    event.add("dtstart", _second(utc(maintenance.scheduled_for)))
    event.add("dtend", _second(utc(maintenance.scheduled_until)))
    event.add("summary", printable(maintenance.title))
    event.add("description", printable(_description(content, maintenance)))
    event.add("url", address(url, maintenance.id))
    event.add("status", "CONFIRMED")
    event.add("transp", "TRANSPARENT")
    return event


def _description(content: GetStatusPageResponse, maintenance: ShownMaintenance) -> str:
    affected = names(content, maintenance.component_ids)
    said = [
        f"{status_word(update)} · {written(utc(update.created_at))}\n{plain(update.message)}"
        for update in maintenance.updates
    ]
    return "\n\n".join([*([", ".join(affected)] if affected else []), *said])


def _utc_zone() -> Timezone:
    """Answers the one component that a calendar without events may have: it must have one (section 3.6)."""
    zone, standard = Timezone(), TimezoneStandard()
    zone.add("tzid", "Etc/UTC")
    standard.add("dtstart", datetime(1970, 1, 1))  # noqa: DTZ001 # local time, as the format demands
    standard.add("tzoffsetfrom", timedelta(0))
    standard.add("tzoffsetto", timedelta(0))
    zone.add_component(standard)
    return zone


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)
