"""`oncall page show`: a page in the terminal, just as an audience sees it."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.connection import connected
from cli.output import Json, enum_name, enum_words, local_time, print_details, print_json, print_table
from cli.page.lookup import PageName, find_page
from cli.partner.lookup import find_partner
from oncall.v1.incident_pb2 import INCIDENT_STATUS_POSTMORTEM, INCIDENT_STATUS_RESOLVED
from oncall.v1.maintenance_pb2 import MAINTENANCE_STATUS_COMPLETED
from oncall.v1.partner_service_pb2 import GetStatusPagePreviewRequest, GetStatusPageResponse

_OVER = (INCIDENT_STATUS_RESOLVED, INCIDENT_STATUS_POSTMORTEM)


def show(
    page: PageName = "",
    partner: Annotated[
        str, typer.Option("--as", metavar="PARTNER", help="Name or id of a partner; else who may read it and is none.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Show a page as an audience sees it: what is hidden from them counts in nothing.

    \b
      oncall page show shop
      oncall page show shop --as Northwind
      oncall page show shop --as Northwind --json | jq -r '.components[].name'
    """
    with connected() as server:
        found = find_page(server, page)
        partner_id = find_partner(server, partner, found.id).id if partner else ""
        request = GetStatusPagePreviewRequest(status_page_id=found.id, partner_id=partner_id)
        shown = server.partners.GetStatusPagePreview(request).shown
    if as_json:
        print_json(shown)
        return
    _print(shown)


def _print(shown: GetStatusPageResponse) -> None:
    page = shown.status_page
    print_details(
        [
            ("page", page.name),
            ("headline", shown.headline.description),
            ("seen by", shown.audience.partner_name or "everybody who may read it"),
            ("visibility", enum_name(page, "visibility").lower()),
            ("changed", local_time(page.updated_at)),
        ]
    )
    _print_components(shown)
    _print_incidents(shown)
    _print_maintenances(shown)


def _print_components(shown: GetStatusPageResponse) -> None:
    print()
    available = {uptime.component_id: uptime.available_millionths for uptime in shown.uptimes}
    rows = (
        (
            f"  {item.name}" if item.group_id else item.name,
            enum_words(item, "status"),
            _percent(available[item.id]) if item.id in available else "",
        )
        for item in shown.components
    )
    print_table(("COMPONENT", "STATUS", "90 DAYS"), rows, empty="no components")


def _print_incidents(shown: GetStatusPageResponse) -> None:
    rows = [
        (
            item.title,
            enum_words(item, "status"),
            enum_name(item, "impact").lower(),
            local_time(item.started_at),
            _said(item),
        )
        for item in shown.incidents
        if item.status not in _OVER
    ]
    if rows:
        print()
        print_table(("OPEN INCIDENT", "STATUS", "IMPACT", "SINCE", "LAST SAID"), rows, empty="")


def _print_maintenances(shown: GetStatusPageResponse) -> None:
    rows = [
        (
            item.title,
            enum_words(item, "status"),
            local_time(item.scheduled_for),
            local_time(item.scheduled_until),
            _said(item),
        )
        for item in shown.maintenances
        if item.status != MAINTENANCE_STATUS_COMPLETED
    ]
    if rows:
        print()
        print_table(("MAINTENANCE", "STATUS", "FROM", "UNTIL", "LAST SAID"), rows, empty="")


def _said(item: object) -> str:
    updates = getattr(item, "updates", ())
    return str(updates[0].message).replace("\n", " ") if updates else ""


def _percent(millionths: int) -> str:
    """Answers a share with two decimals, rounded down: what failed for a second is not 100 %."""
    hundredths = millionths // 100
    return f"{hundredths // 100}.{hundredths % 100:02} %"
