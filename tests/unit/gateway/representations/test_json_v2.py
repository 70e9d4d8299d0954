"""The documents of the public v2 status API, field by field."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.representations.json_v2 import DOCUMENTS, NEWEST, document_of, render
from gateway.representations.json_v2_words import (
    IMPACTS,
    INCIDENT_STATUSES,
    INDICATORS,
    MAINTENANCE_STATUSES,
    STATUSES,
    time,
)
from gateway.shown import Shown
from oncall.v1 import incident_pb2 as incident
from oncall.v1 import maintenance_pb2 as maintenance
from oncall.v1 import partner_pb2 as partner
from oncall.v1 import shown_status_page_pb2 as shown
from oncall.v1 import status_page_pb2 as status_page
from oncall.v1.partner_service_pb2 import GetStatusPageResponse
from tests.unit.gateway.pages import an_answer
from tests.unit.gateway.told_page import a_told_incident, a_told_maintenance, a_told_page

URL = "https://status.example/status/acme"

PAGE = {
    "id": "page",
    "name": "Acme",
    "url": URL,
    "time_zone": "Europe/Berlin",
    "updated_at": "2026-11-24T09:00:00.250Z",
}
CARDS = {
    "id": "Cards",
    "name": "Cards",
    "status": "partial_outage",
    "created_at": "2026-01-31T09:00:00.000Z",
    "updated_at": "2026-11-24T09:05:07.123Z",
    "position": 1,
    "description": "By card",
    "showcase": False,
    "start_date": None,
    "group_id": "Checkout",
    "page_id": "page",
    "group": False,
    "only_show_if_degraded": False,
}


@pytest.mark.parametrize(
    ("nanos", "written"),
    [
        (0, "2026-01-31T09:00:00.000Z"),
        (7_000_000, "2026-01-31T09:00:00.007Z"),
        (999_999_999, "2026-01-31T09:00:00.999Z"),
    ],
)
def test_a_time_always_has_three_decimals(nanos: int, written: str) -> None:
    assert time(Timestamp(seconds=1_769_850_000, nanos=nanos)) == written


@pytest.mark.parametrize(
    ("document", "members"),
    [
        ("summary", {"components", "incidents", "scheduled_maintenances", "status"}),
        ("status", {"status"}),
        ("components", {"components"}),
        ("incidents", {"incidents"}),
        ("incidents/unresolved", {"incidents"}),
        ("scheduled-maintenances", {"scheduled_maintenances"}),
        ("scheduled-maintenances/upcoming", {"scheduled_maintenances"}),
        ("scheduled-maintenances/active", {"scheduled_maintenances"}),
    ],
)
def test_a_document_has_the_page_and_its_own_members(document: str, members: set[str]) -> None:
    body = document_of(a_told_page(), URL, document)
    assert body["page"] == PAGE
    assert set(body) == {"page"} | members


def test_there_are_eight_documents() -> None:
    assert len(DOCUMENTS) == 8


def test_a_status_is_the_headline() -> None:
    body = document_of(a_told_page(), URL, "status")
    assert body["status"] == {"indicator": "minor", "description": "Minor Service Outage"}


def test_a_group_names_its_children_and_a_component_its_group() -> None:
    group, cards, refunds, alone = document_of(a_told_page(), URL, "components")["components"]
    assert group == CARDS | {
        "id": "Checkout",
        "name": "Checkout",
        "description": None,
        "group_id": None,
        "group": True,
        "components": ["Cards", "Refunds"],
    }
    assert cards == CARDS
    assert refunds["status"] == "operational"
    assert alone["group_id"] is None
    assert "components" not in alone


def test_an_open_incident_has_exactly_the_documented_fields() -> None:
    first = {
        "id": "first-2",
        "status": "investigating",
        "body": "We look.",
        "incident_id": "incident-2",
        "created_at": "2026-11-24T08:01:00.250Z",
        "updated_at": "2026-11-24T08:01:00.250Z",
        "display_at": "2026-11-24T08:01:00.250Z",
        "affected_components": [
            {"code": "Cards", "name": "Cards", "old_status": "operational", "new_status": "partial_outage"}
        ],
        "deliver_notifications": False,
        "custom_tweet": None,
        "tweet_id": None,
    }
    at = "2026-11-24T08:30:00.250Z"
    last = {"id": "last-2", "status": "identified", "body": "It is **slow**.", "affected_components": None}
    last |= {"created_at": at, "updated_at": at, "display_at": at}
    identified = document_of(a_told_page(), URL, "incidents")["incidents"][1]
    assert identified == {
        "id": "incident-2",
        "name": "Declined <cards> & 2",
        "status": "identified",
        "created_at": "2026-11-24T08:01:00.250Z",
        "updated_at": at,
        "monitoring_at": None,
        "resolved_at": None,
        "impact": "major",
        "shortlink": f"{URL}#event-incident-2",
        "started_at": "2026-11-24T08:00:00.250Z",
        "page_id": "page",
        "incident_updates": [first | last, first],
        "components": [CARDS],
    }


def test_a_resolved_incident_says_when_it_was_watched_and_resolved() -> None:
    resolved = document_of(a_told_page(), URL, "incidents")["incidents"][3]
    assert resolved["status"] == "resolved"
    assert resolved["monitoring_at"] == "2026-11-24T08:20:00.250Z"
    assert resolved["resolved_at"] == "2026-11-24T08:25:00.250Z"
    assert resolved["incident_updates"][0]["affected_components"] == [
        {"code": "Cards", "name": "Cards", "old_status": "partial_outage", "new_status": "operational"}
    ]


def test_a_maintenance_is_an_incident_with_its_times() -> None:
    body = document_of(a_told_page(), URL, "scheduled-maintenances")["scheduled_maintenances"]
    scheduled, completed = body[0], body[-1]
    assert set(scheduled) == set(document_of(a_told_page(), URL, "incidents")["incidents"][0]) | {
        "scheduled_for",
        "scheduled_until",
    }
    assert scheduled["impact"] == "maintenance"
    assert scheduled["scheduled_for"] == scheduled["started_at"] == "2026-11-24T09:00:00.250Z"
    assert scheduled["scheduled_until"] == "2026-11-24T11:00:00.250Z"
    assert scheduled["resolved_at"] is None
    assert [component["id"] for component in scheduled["components"]] == ["Sign-in"]
    assert scheduled["incident_updates"][0]["affected_components"] is None
    assert completed["started_at"] == "2026-11-24T09:01:00.250Z"
    assert completed["resolved_at"] == "2026-11-24T10:00:00.250Z"


@pytest.mark.parametrize(
    ("document", "incidents", "maintenances"),
    [
        ("summary", ["investigating", "identified", "monitoring"], ["scheduled", "in_progress", "verifying"]),
        ("incidents", ["investigating", "identified", "monitoring", "resolved", "postmortem"], []),
        ("incidents/unresolved", ["investigating", "identified", "monitoring"], []),
        ("scheduled-maintenances", [], ["scheduled", "in_progress", "verifying", "completed"]),
        ("scheduled-maintenances/upcoming", [], ["scheduled"]),
        ("scheduled-maintenances/active", [], ["in_progress", "verifying"]),
    ],
)
def test_a_document_lists_what_is_in_its_states(document: str, incidents: list[str], maintenances: list[str]) -> None:
    body = document_of(a_told_page(), URL, document)
    assert [one["status"] for one in body.get("incidents", [])] == incidents
    assert [one["status"] for one in body.get("scheduled_maintenances", [])] == maintenances


def test_the_lists_of_all_have_the_newest_fifty_and_what_is_open_is_never_left_out() -> None:
    page = a_told_page()
    page.incidents.extend(a_told_incident(incident.INCIDENT_STATUS_IDENTIFIED) for _ in range(NEWEST))
    page.maintenances.extend(a_told_maintenance(maintenance.MAINTENANCE_STATUS_SCHEDULED) for _ in range(NEWEST))
    assert len(document_of(page, URL, "incidents")["incidents"]) == NEWEST
    assert len(document_of(page, URL, "scheduled-maintenances")["scheduled_maintenances"]) == NEWEST
    assert len(document_of(page, URL, "incidents/unresolved")["incidents"]) == NEWEST + 3
    assert len(document_of(page, URL, "summary")["scheduled_maintenances"]) == NEWEST + 3


@pytest.mark.parametrize("document", DOCUMENTS)
def test_nothing_of_a_hidden_component_is_told(document: str) -> None:
    page = a_told_page()
    page.incidents[0].updates[0].impact_changes.add(component_id="hidden", old_status=1, new_status=4)
    assert b"hidden" not in render(Shown(page, "tag"), URL, document).body


@pytest.mark.parametrize("document", DOCUMENTS)
def test_an_empty_page_has_every_document(document: str) -> None:
    body = json.loads(render(Shown(an_answer(), "tag"), URL, document).body)
    assert all(value == [] for name, value in body.items() if name not in ("page", "status"))


def test_every_word_is_known() -> None:
    assert set(STATUSES) == set(status_page.ComponentStatus.values()) - {0}
    assert set(INDICATORS) == set(partner.HeadlineIndicator.values()) - {0}
    assert set(IMPACTS) == set(shown.ImpactLevel.values()) - {0}
    assert set(INCIDENT_STATUSES) == set(incident.IncidentStatus.values()) - {0}
    assert set(MAINTENANCE_STATUSES) == set(maintenance.MaintenanceStatus.values()) - {
        0,
        maintenance.MAINTENANCE_STATUS_CANCELLED,
    }


def test_a_stale_page_has_the_same_bytes() -> None:
    fresh = render(Shown(a_told_page(), "tag"), URL, "summary")
    assert render(Shown(a_told_page(), "tag", datetime(2026, 11, 24, tzinfo=UTC)), URL, "summary") == fresh
    assert fresh.media_type == "application/json"


def test_a_representation_is_made_once_of_a_content_and_kept_for_few_addresses() -> None:
    shown_page = Shown(GetStatusPageResponse.FromString(a_told_page().SerializeToString()), "tag")
    first = render(shown_page, URL, "summary")
    assert render(shown_page, URL, "summary") is first
    assert render(shown_page, URL, "status").etag != first.etag
    for number in range(200):
        assert f"https://{number}.example".encode() in render(shown_page, f"https://{number}.example", "status").body
    assert len(shown_page.renderings) == 64
