"""What the HTML page shows."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest

from gateway import assets, refusal
from gateway.content_security import policy
from gateway.languages import language
from gateway.representations.html import headers, render, render_refusal
from gateway.shown import Shown
from gateway.view.components import Components
from gateway.view.marks import COMPONENTS, HEADLINES, IMPACTS, INCIDENT_STATUSES, MAINTENANCE_STATUSES
from gateway.view.page import origin, page_view
from oncall.v1 import incident_pb2 as incident
from oncall.v1 import maintenance_pb2 as maintenance
from oncall.v1 import partner_pb2 as partner
from oncall.v1 import shown_status_page_pb2 as shown_page
from oncall.v1 import status_page_pb2 as status_page
from oncall.v1.partner_service_pb2 import GetStatusPageResponse
from tests.unit.gateway.full_page import NOW, a_full_page, a_maintenance, an_incident, an_uptime
from tests.unit.gateway.pages import a_component, an_answer

URL = "https://status.example/status/acme"
ENGLISH = language("en")
DEGRADED = status_page.COMPONENT_STATUS_DEGRADED_PERFORMANCE


def html_of(answer: GetStatusPageResponse, code: str = "en", stale_since: datetime | None = None) -> str:
    return render(Shown(answer, "tag", stale_since), URL, code, NOW).body.decode()


def test_a_group_is_a_section_and_neighbours_without_one_share_a_section() -> None:
    sections = Components(
        an_answer(
            a_component("One"),
            a_component("Two"),
            a_component("Group", group=True),
            a_component("Child", group_id="Group"),
            a_component("Three"),
        ),
        ENGLISH,
    ).sections()
    assert [(section.name, [component.name for component in section.components]) for section in sections] == [
        ("", ["One", "Two"]),
        ("Group", ["Child"]),
        ("", ["Three"]),
    ]


def test_a_component_to_be_shown_only_if_degraded_is_left_out_while_it_works() -> None:
    working = a_component("Working", only_show_if_degraded=True)
    failing = a_component("Failing", DEGRADED, only_show_if_degraded=True)
    sections = Components(an_answer(working, failing), ENGLISH).sections()
    assert [component.name for section in sections for component in section.components] == ["Failing"]


def test_every_status_has_words_and_every_tone_a_shape_of_its_own() -> None:
    assert set(COMPONENTS) == set(status_page.ComponentStatus.values()) - {0}
    assert set(HEADLINES) == set(partner.HeadlineIndicator.values()) - {0}
    assert set(IMPACTS) == set(shown_page.ImpactLevel.values()) - {0}
    assert set(INCIDENT_STATUSES) == set(incident.IncidentStatus.values()) - {0}
    cancelled = maintenance.MAINTENANCE_STATUS_CANCELLED
    assert set(MAINTENANCE_STATUSES) == set(maintenance.MaintenanceStatus.values()) - {0, cancelled}
    shapes = dict(re.findall(r'<symbol id="i-(\w+)" [^>]*>(.*?)</symbol>', html_of(an_answer())))
    assert set(shapes) == {mark.tone for mark in COMPONENTS.values()} == set(HEADLINES.values())
    assert len(set(shapes.values())) == len(COMPONENTS)
    heights = re.findall(r"\.bars \.\w+ \{[^}]*stroke-width: (\d+)", assets.STYLESHEET.body.decode())
    assert len(set(heights)) == len(heights) == len(COMPONENTS) + 1  # and unknown days


def test_incidents_and_maintenances_stand_in_the_order_in_which_they_matter() -> None:
    html = html_of(a_full_page())
    titles = [
        "Partial System Outage</h1>",
        "Some card payments are declined</h3>",
        "Network upgrade in Dublin</h3>",
        "Database upgrade of the sandbox</h3>",
        "Components</h2>",
        "November 2026</h3>",
        "Slow sign-in</h4>",
        "Certificate renewal</h4>",
        "October 2026</h3>",
        "September 2026</h3>",
    ]
    places = [html.find(title) for title in titles]
    assert -1 not in places
    assert places == sorted(places)


def test_the_sooner_a_maintenance_begins_the_earlier_it_stands() -> None:
    answer = an_answer()
    scheduled = maintenance.MAINTENANCE_STATUS_SCHEDULED
    for title, days in (("Later", 9), ("Sooner", 2)):
        answer.maintenances.append(a_maintenance(title, scheduled, NOW + timedelta(days=days), 1, [], "Soon."))
    view = page_view(Shown(answer, "tag"), ENGLISH, NOW)
    assert [event.title for event in view.upcoming] == ["Sooner", "Later"]


def test_neighbouring_days_of_one_status_are_one_line() -> None:
    answer = an_answer(a_component("It"))
    major = status_page.COMPONENT_STATUS_MAJOR_OUTAGE
    answer.uptimes.append(an_uptime("It", 999_990, unknown=10, days={5: (major, 90, ["gone"]), 3: (major, 30, [])}))
    (section,) = Components(answer, ENGLISH).sections()
    bars = section.components[0].bars
    assert bars
    assert {path.tone: path.line for path in bars.paths} == {
        "unknown": "M0 0h40",
        "good": "M40 0h296M340 0h4M348 0h12",
        "major": "M336 0h4M344 0h4",
    }
    assert (bars.unknown, bars.uptime, bars.first) == (10, "99.99 %", "2026-08-27")
    assert [(day.index, day.date, day.text, day.incidents) for day in bars.days] == [
        (86, "21 November 2026", "Major outage less than a minute", []),
        (84, "19 November 2026", "Major outage 1 min", []),
    ]


def test_a_component_without_a_known_day_claims_no_share() -> None:
    answer = an_answer(a_component("It"))
    answer.uptimes.append(an_uptime("It", 0, unknown=90))
    html = html_of(answer)
    assert "No data yet" in html
    assert "available" not in html


def test_a_stale_page_says_how_old_it_is() -> None:
    html = html_of(a_full_page(), stale_since=NOW - timedelta(minutes=12, seconds=40))
    assert "This page may be out of date." in html
    assert "12 minutes old" in html
    assert "may be out of date" not in html_of(a_full_page())


def test_a_page_that_holds_is_the_same_at_any_time() -> None:
    shown = Shown(a_full_page(), "tag")
    assert render(shown, URL, "de", NOW) == render(shown, URL, "de", NOW + timedelta(days=1))
    assert render(shown, URL, "de", NOW).etag != render(shown, URL, "en", NOW).etag


def test_only_links_of_the_web_become_logo_and_support() -> None:
    answer = an_answer()
    answer.status_page.logo_url = "https://cdn.example:8443/logo.svg"
    answer.status_page.support_url = "javascript:alert(1)"
    assert '<img class="logo" src="https://cdn.example:8443/logo.svg" alt="Acme"' in html_of(answer)
    assert "javascript:" not in html_of(answer)
    assert "img-src 'self' https://cdn.example:8443;" in headers(answer, "de")["Content-Security-Policy"]
    assert headers(answer, "de")["Content-Language"] == "de"


@pytest.mark.parametrize(
    "url", ["", "http://a.example/x", "https://a.example; script-src *", "https://u@a.example/", "https://[", "//a"]
)
def test_nothing_but_an_origin_gets_into_the_policy(url: str) -> None:
    assert origin(url) == ""
    assert policy(url) == policy()


def test_a_page_that_may_be_signed_in_to_has_a_form() -> None:
    html = render_refusal(refusal.unknown_token(), "de", "/status/acme/session").body.decode()
    assert '<form method="post" action="/status/acme/session">' in html
    assert "Dieses Token ist nicht bekannt." in html
    assert '<html lang="de">' in html
    assert "<form" not in render_refusal(refusal.unknown_page(), "en", "/status/acme/session").body.decode()
    assert "<form" not in render_refusal(refusal.missing_token(), "en").body.decode()


def test_names_are_text_and_never_markup() -> None:
    evil = '<script>alert("1")</script>'
    answer = an_answer(a_component(evil, description=evil), name=evil, partner_name=evil)
    answer.incidents.append(an_incident(evil, (incident.INCIDENT_STATUS_INVESTIGATING, NOW, evil)))
    html = html_of(answer)
    assert "<script>" not in html
    assert html.count("<script ") == 1
    assert html.count("&lt;script&gt;") >= 4


def test_nothing_is_inline() -> None:
    html = html_of(a_full_page())
    assert not re.search(r"<script(?! src)|<style|\sstyle=|\son\w+=", html)
    assert f'href="{assets.STYLESHEET.path}"' in html


@pytest.mark.parametrize("code", ["en", "de"])
def test_a_full_page_weighs_less_than_60_kb_uncompressed(code: str) -> None:
    accent = assets.accent_stylesheet("#6d3fd1")
    assert accent
    loaded = [assets.STYLESHEET.body, assets.SCRIPT.body, accent.body, assets.ICONS["partial"].body]
    assert len(html_of(a_full_page(), code).encode()) + sum(map(len, loaded)) < 60_000
