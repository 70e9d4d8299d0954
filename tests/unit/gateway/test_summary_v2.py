"""The JSON of the public v2 status API."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.summary_v2 import INDICATORS, STATUSES, summary, time
from oncall.v1 import partner_pb2 as partner
from oncall.v1 import status_page_pb2 as status_page
from tests.unit.gateway.pages import a_component, an_answer

MAJOR = status_page.COMPONENT_STATUS_MAJOR_OUTAGE


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


def test_a_summary_has_exactly_the_documented_fields() -> None:
    group = a_component("Checkout", MAJOR, group=True)
    child = a_component("Cards", MAJOR, group_id="Checkout", description="By card")
    assert summary(an_answer(group, child), "https://status.example/status/acme") == {
        "page": {
            "id": "page",
            "name": "Acme",
            "url": "https://status.example/status/acme",
            "time_zone": "Europe/Berlin",
            "updated_at": "2026-11-24T09:05:07.123Z",
        },
        "status": {"indicator": "major", "description": "Partial System Outage"},
        "components": [
            {
                "id": "Checkout",
                "name": "Checkout",
                "status": "major_outage",
                "created_at": "2026-01-31T09:00:00.000Z",
                "updated_at": "2026-11-24T09:05:07.123Z",
                "position": 1,
                "description": None,
                "showcase": False,
                "start_date": None,
                "group_id": None,
                "page_id": "page",
                "group": True,
                "only_show_if_degraded": False,
                "components": ["Cards"],
            },
            {
                "id": "Cards",
                "name": "Cards",
                "status": "major_outage",
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
            },
        ],
        "incidents": [],
        "scheduled_maintenances": [],
    }


def test_every_status_and_indicator_has_its_word() -> None:
    assert set(STATUSES) == set(status_page.ComponentStatus.values()) - {0}
    assert set(INDICATORS) == set(partner.HeadlineIndicator.values()) - {0}
