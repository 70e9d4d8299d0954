"""The feed, as parsers that this project did not write read it."""

from __future__ import annotations

from datetime import UTC, datetime

import feedparser
import pytest
from lxml import etree, html

from gateway.representations.atom import MEDIA_TYPE, render
from gateway.shown import Shown
from oncall.v1 import incident_pb2 as incident
from oncall.v1 import maintenance_pb2 as maintenance
from oncall.v1.partner_service_pb2 import GetStatusPageResponse
from tests.unit.gateway.full_page import a_full_page
from tests.unit.gateway.pages import an_answer
from tests.unit.gateway.told_page import a_told_incident, a_told_maintenance, a_told_page

URL = "https://status.example:8443/status/acme"
ATOM = {"a": "http://www.w3.org/2005/Atom"}

HOSTILE = "<script>alert(1)</script> ]]> &amp; <b>\x00\x1b\ufffe \r\n ü 漢 \U0001f600"


def parsed(page: GetStatusPageResponse) -> feedparser.FeedParserDict:
    feed = feedparser.parse(render(Shown(page, "tag"), URL).body, response_headers={"content-type": MEDIA_TYPE})
    assert not feed.bozo, feed.bozo_exception
    assert feed.version == "atom10"
    return feed


def tree(page: GetStatusPageResponse) -> etree._Element:
    return etree.fromstring(render(Shown(page, "tag"), URL).body)


def test_the_feed_says_whose_it_is_and_where() -> None:
    feed = parsed(a_told_page()).feed
    assert feed.title == feed.author == "Acme"
    assert feed.subtitle == "Minor Service Outage"
    assert feed.id == "tag:status.example,2026:page/page"
    assert feed.updated == "2026-11-24T09:00:00.250Z"
    assert {link.rel: link.href for link in feed.links} == {"self": f"{URL}/history.atom", "alternate": URL}


def test_each_incident_and_maintenance_is_an_entry_and_the_last_change_comes_first() -> None:
    entries = parsed(a_told_page()).entries
    assert [entry.id.split(":")[-1] for entry in entries] == [
        *(f"incident/incident-{status}" for status in (5, 4, 3, 2, 1)),
        *(f"maintenance/maintenance-{status}" for status in (4, 3, 2, 1)),
    ]


def test_an_incident_is_told_with_all_that_was_said() -> None:
    entry = parsed(a_told_page()).entries[1]
    assert entry.title == "Declined <cards> & 4"
    assert entry.link == f"{URL}#event-incident-4"
    assert entry.published == "2026-11-24T08:01:00.250Z"
    assert entry.updated == "2026-11-24T08:30:00.250Z"
    assert [tag.term for tag in entry.tags] == ["incident"]
    assert entry.summary == "Resolved: It is slow."
    assert entry.content[0].type == "text/html"
    assert entry.content[0].value == (
        "<p>Major impact · Cards</p>"
        "<p><strong>Resolved</strong> · 2026-11-24 08:30 UTC</p><p>It is <strong>slow</strong>.</p>"
        "<p><strong>Investigating</strong> · 2026-11-24 08:01 UTC</p><p>We look.</p>"
    )


def test_a_maintenance_is_told_with_its_times() -> None:
    entry = parsed(a_told_page()).entries[-1]
    assert entry.title == "Upgrade 1"
    assert [tag.term for tag in entry.tags] == ["maintenance"]
    assert "<p>2026-11-24 09:00 UTC – 2026-11-24 11:00 UTC · Sign-in</p>" in entry.content[0].value


def required_once(element: etree._Element, *names: str) -> None:
    for name in names:
        assert len(element.findall(f"a:{name}", ATOM)) == 1, name


def test_the_feed_has_what_rfc_4287_demands() -> None:
    for page in (a_told_page(), a_full_page(), an_answer()):
        feed = tree(page)
        assert feed.tag == "{http://www.w3.org/2005/Atom}feed"
        required_once(feed, "id", "title", "updated", "author")
        assert feed.findtext("a:author/a:name", namespaces=ATOM)
        for entry in feed.findall("a:entry", ATOM):
            required_once(entry, "id", "title", "updated", "published", "summary", "content")
        ids = [one.text for one in feed.iter("{http://www.w3.org/2005/Atom}id")]
        assert len(set(ids)) == len(ids)
        for name in ("updated", "published"):
            for time in feed.iter(f"{{http://www.w3.org/2005/Atom}}{name}"):
                assert datetime.fromisoformat(str(time.text)).tzinfo == UTC


def test_hostile_text_is_text_and_hostile_markdown_is_no_markup() -> None:
    page = an_answer(name=HOSTILE)
    page.incidents.append(a_told_incident(incident.INCIDENT_STATUS_RESOLVED, HOSTILE))
    page.incidents[0].title = HOSTILE
    page.maintenances.append(a_told_maintenance(maintenance.MAINTENANCE_STATUS_SCHEDULED, HOSTILE))
    feed = tree(page)
    for title in feed.iter("{http://www.w3.org/2005/Atom}title"):
        if "Upgrade" not in str(title.text):
            assert str(title.text).startswith(
                "<script>alert(1)</script> ]]> &amp; <b>\ufffd\ufffd\ufffd \n ü 漢 \U0001f600"
            )
    for content in feed.iter("{http://www.w3.org/2005/Atom}content"):
        tags = {element.tag for element in html.fragment_fromstring(str(content.text), create_parent="div").iter()}
        assert tags <= {"div", "p", "strong", "br"}


def test_nothing_of_a_hidden_component_is_told() -> None:
    assert b"hidden" not in render(Shown(a_told_page(), "tag"), URL).body


@pytest.mark.parametrize(
    ("url", "host"), [("http://127.0.0.1:8080/status/a", "127.0.0.1"), ("http://[::1]:80/status/a", "--1")]
)
def test_an_id_is_a_tag_whatever_the_host(url: str, host: str) -> None:
    feed = etree.fromstring(render(Shown(a_told_page(), "tag"), url).body)
    assert feed.findtext("a:id", namespaces=ATOM) == f"tag:{host},2026:page/page"


def test_the_feed_is_kept_and_another_content_is_another_tag() -> None:
    shown = Shown(a_told_page(), "tag")
    assert render(shown, URL) is render(shown, URL)
    assert render(Shown(a_told_page(), "other"), URL).etag == render(shown, URL).etag
    assert render(Shown(a_full_page(), "tag"), URL).etag != render(shown, URL).etag
