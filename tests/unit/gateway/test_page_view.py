"""What the HTML page shows."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from gateway.page_view import MARKS, TONES, page_view

from gateway import answers, refusal
from gateway.negotiation import Representation
from oncall.v1 import partner_pb2 as partner
from oncall.v1 import status_page_pb2 as status_page
from oncall.v1.partner_service_pb2 import GetStatusPageResponse
from tests.unit.gateway.pages import a_component, an_answer

NOW = datetime(2026, 11, 24, 9, 6, tzinfo=UTC)
DEGRADED = status_page.COMPONENT_STATUS_DEGRADED_PERFORMANCE


def html_of(answer: GetStatusPageResponse) -> str:
    body = bytes(answers.page(answer, "https://status.example/status/acme", Representation.HTML).body)
    return body.decode()


def test_a_group_is_a_section_and_neighbours_without_one_share_a_section() -> None:
    view = page_view(
        an_answer(
            a_component("One"),
            a_component("Two"),
            a_component("Group", group=True),
            a_component("Child", group_id="Group"),
            a_component("Three"),
        ),
        NOW,
    )
    assert [(section.name, [component.name for component in section.components]) for section in view.sections] == [
        ("", ["One", "Two"]),
        ("Group", ["Child"]),
        ("", ["Three"]),
    ]


def test_a_component_to_be_shown_only_if_degraded_is_left_out_while_it_works() -> None:
    working = a_component("Working", only_show_if_degraded=True)
    failing = a_component("Failing", DEGRADED, only_show_if_degraded=True)
    view = page_view(an_answer(working, failing), NOW)
    assert [component.name for section in view.sections for component in section.components] == ["Failing"]


def test_times_are_readable_and_in_utc() -> None:
    view = page_view(an_answer(), NOW)
    assert (view.updated.text, view.updated.machine) == ("24 November 2026, 09:05 UTC", "2026-11-24T09:05:07Z")


def test_every_status_has_words_and_a_shape_of_its_own() -> None:
    assert set(MARKS) == set(status_page.ComponentStatus.values()) - {0}
    assert set(TONES) == set(partner.HeadlineIndicator.values()) - {0}
    assert len({mark.tone for mark in MARKS.values()}) == len(MARKS)
    shapes = {
        re.sub(
            r'class="icon \w+"', "", "".join(re.findall(r"(?s)<li>.*?(<svg.*?</svg>)", html_of(an_answer(component))))
        )
        for component in (a_component("It", status) for status in MARKS)
    }
    assert len(shapes) == len(MARKS)


def test_names_are_text_and_never_markup() -> None:
    evil = '<script>alert("1")</script>'
    html = html_of(an_answer(a_component(evil, description=evil), name=evil, partner_name=evil))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 4


def test_a_page_needs_no_script_and_no_inline_style() -> None:
    html = html_of(an_answer(a_component("It")))
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", html)
    assert f'href="{answers.STYLESHEET_PATH}"' in html
    assert len(html) + len(answers.STYLESHEET) < 60_000


@pytest.mark.parametrize(
    ("visibility", "partner_name", "cached"),
    [
        (status_page.STATUS_PAGE_VISIBILITY_PUBLIC, "", "public, max-age=10"),
        (status_page.STATUS_PAGE_VISIBILITY_PUBLIC, "Northwind", None),
        (status_page.STATUS_PAGE_VISIBILITY_PRIVATE, "Northwind", None),
        (status_page.STATUS_PAGE_VISIBILITY_PRIVATE, "", None),
    ],
)
def test_only_what_anybody_may_read_may_be_kept_by_a_cache(
    visibility: status_page.StatusPageVisibility, partner_name: str, cached: str | None
) -> None:
    answer = an_answer(visibility=visibility, partner_name=partner_name)
    for representation in Representation:
        headers = answers.page(answer, "", representation).headers
        assert headers.get("cache-control") == cached
        assert headers["vary"] == "Accept, Authorization"


def test_a_refusal_says_the_same_to_people_and_to_programs() -> None:
    refused = refusal.too_many(7)
    for representation in Representation:
        answer = answers.refusal(refused, representation)
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "7"
        assert refused.message in bytes(answer.body).decode()
        assert refused.reason in bytes(answer.body).decode()
