"""The calendar, as two parsers that are not each other's read it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import icalendar
import vobject

from gateway.representations.calendar import render
from gateway.shown import Shown
from oncall.v1 import maintenance_pb2 as maintenance
from oncall.v1.partner_service_pb2 import GetStatusPageResponse
from tests.unit.gateway.full_page import stamp
from tests.unit.gateway.pages import an_answer
from tests.unit.gateway.told_page import AT, a_told_maintenance, a_told_page

URL = "https://status.example/status/acme"
HOUR = timedelta(hours=1)
NINE = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

LONG = 'Über; "quoted", back\\slash\nsecond line \x00\x07 漢字 ' + "wörd " * 60


def body(page: GetStatusPageResponse) -> bytes:
    return render(Shown(page, "tag"), URL).body


def events(page: GetStatusPageResponse) -> list[icalendar.Event]:
    calendar = icalendar.Calendar.from_ical(body(page))
    assert isinstance(calendar, icalendar.Calendar)
    assert not calendar.errors
    return list(calendar.events)


def test_each_maintenance_is_an_event_at_its_time() -> None:
    event = events(a_told_page())[0]
    assert event["uid"] == "maintenance-1"
    assert event.start == NINE
    assert event.end == NINE + 2 * HOUR
    assert event["summary"] == "Upgrade 1"
    assert event["description"] == "Sign-in\n\nScheduled · 2026-11-24 07:00 UTC\nRead-only."
    assert event["url"] == f"{URL}#event-maintenance-1"
    assert event["status"] == "CONFIRMED"
    assert event["transp"] == "TRANSPARENT"
    assert event.DTSTAMP == event.LAST_MODIFIED == NINE - HOUR * 1.5
    assert event["created"].dt == NINE - 2 * HOUR
    assert event["sequence"] == 1800
    assert [one["uid"] for one in events(a_told_page())] == [f"maintenance-{status}" for status in (1, 2, 3, 4)]


def test_another_parser_reads_the_same() -> None:
    calendar = vobject.readOne(body(a_told_page()).decode(), validate=True)
    assert calendar.x_wr_calname.value == "Acme"
    read = [(one.uid.value, one.dtstart.value, one.dtend.value) for one in calendar.vevent_list]
    assert read == [(str(event["uid"]), event.start, event.end) for event in events(a_told_page())]


def test_times_are_written_in_utc_and_lines_are_short_and_end_right() -> None:
    page = an_answer(name=LONG)
    page.maintenances.append(a_told_maintenance(maintenance.MAINTENANCE_STATUS_SCHEDULED, LONG))
    page.maintenances[0].title = LONG.replace("\n", " ")
    written = body(page)
    assert b"DTSTART:20261124T090000Z\r\n" in written
    assert b"\n" not in written.replace(b"\r\n", b"")
    assert all(len(line) <= 75 for line in written.split(b"\r\n"))


def test_what_stands_in_a_text_is_read_as_it_was_written_and_is_no_line_of_its_own() -> None:
    page = an_answer(name="Acme\r\nX-EVIL:1")
    page.maintenances.append(
        a_told_maintenance(maintenance.MAINTENANCE_STATUS_SCHEDULED, "END:VEVENT\r\n\r\nBEGIN:VEVENT\r\n\r\n" + LONG)
    )
    page.maintenances[0].title = 'a;b,c\\d"e: \x07'
    (event,) = events(page)
    assert event["summary"] == 'a;b,c\\d"e: \ufffd'
    assert event["description"].endswith(LONG.replace("\x00", "\ufffd").replace("\x07", "\ufffd").strip())
    other = vobject.readOne(body(page).decode())
    assert other.vevent.summary.value == event["summary"]
    assert other.vevent.description.value == event["description"]
    assert not hasattr(other, "x_evil")


def test_a_change_of_time_raises_the_sequence_and_keeps_the_uid() -> None:
    page = a_told_page()
    before = events(page)[0]
    page.maintenances[0].scheduled_for.CopyFrom(stamp(AT + 2 * HOUR))
    page.maintenances[0].updated_at.CopyFrom(stamp(AT))
    after = events(page)[0]
    assert after["uid"] == before["uid"]
    assert after["sequence"] > before["sequence"]
    assert after.start > before.start


def test_a_calendar_without_maintenances_is_one() -> None:
    calendar = vobject.readOne(body(an_answer()).decode(), validate=True)
    assert [component.name for component in calendar.components()] == ["VTIMEZONE"]
    assert events(an_answer()) == []


def test_nothing_of_a_hidden_component_is_told() -> None:
    assert b"hidden" not in body(a_told_page())


def test_the_calendar_is_kept_and_the_same_content_has_the_same_tag() -> None:
    shown = Shown(a_told_page(), "tag")
    assert render(shown, URL) is render(shown, URL)
    assert render(Shown(a_told_page(), "other"), URL).etag == render(shown, URL).etag
