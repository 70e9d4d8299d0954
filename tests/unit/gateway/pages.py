"""Answers of the server, built for tests."""

from __future__ import annotations

from datetime import UTC, datetime

from oncall.v1 import partner_pb2 as partner
from oncall.v1 import status_page_pb2 as status_page
from oncall.v1.partner_service_pb2 import GetStatusPageResponse

CREATED = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
UPDATED = datetime(2026, 11, 24, 9, 5, 7, 123_999, tzinfo=UTC)


def an_id(name: str) -> str:
    return name.replace(" ", "-")


def a_component(
    name: str,
    status: status_page.ComponentStatus = status_page.COMPONENT_STATUS_OPERATIONAL,
    *,
    group: bool = False,
    group_id: str = "",
    description: str = "",
    only_show_if_degraded: bool = False,
) -> partner.ShownComponent:
    """Answers a component whose id is its name, as an id may be written."""
    component = partner.ShownComponent(
        id=an_id(name),
        name=name,
        status=status,
        group=group,
        group_id=an_id(group_id),
        description=description,
        position=1,
        only_show_if_degraded=only_show_if_degraded,
    )
    component.created_at.FromDatetime(CREATED)
    component.updated_at.FromDatetime(UPDATED)
    return component


def an_answer(
    *components: partner.ShownComponent,
    name: str = "Acme",
    visibility: status_page.StatusPageVisibility = status_page.STATUS_PAGE_VISIBILITY_PRIVATE,
    partner_name: str = "Northwind",
) -> GetStatusPageResponse:
    answer = GetStatusPageResponse(
        status_page=partner.ShownStatusPage(
            id="page", slug="acme", name=name, visibility=visibility, time_zone="Europe/Berlin"
        ),
        headline=partner.Headline(indicator=partner.HEADLINE_INDICATOR_MAJOR, description="Partial System Outage"),
        components=components,
        audience=partner.Audience(partner_id="partner" if partner_name else "", partner_name=partner_name),
    )
    answer.status_page.updated_at.FromDatetime(UPDATED)
    return answer
