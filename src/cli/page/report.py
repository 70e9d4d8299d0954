"""`oncall page report`: what a check found, with an end, so that a check that fell silent shows."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import times
from cli.component_status import Status
from cli.connection import connected
from cli.output import Json, enum_words, local_time, print_json
from cli.page.lookup import ComponentName, PageOption, components_of, find_page
from cli.visible import visible
from oncall.v1.status_page_pb2 import COMPONENT_STATUS_UNSPECIFIED
from oncall.v1.status_page_service_pb2 import ReportComponentStatusRequest


def report(
    name: ComponentName,
    status: Annotated[Status, typer.Argument(metavar="STATUS", help="How it is: operational, …; see below.")],
    for_: Annotated[str, typer.Option("--for", metavar="SPAN", help="How long it counts: 10s to 24h.")],
    page: PageOption = "",
    silent_as: Annotated[
        Status | None, typer.Option(help="How it is shown once the check is silent; else major-outage.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a check found of a component, for a while. Without another report by then it is shown as out.

    The component is the worse of this and the status that people set. STATUS is operational, degraded-performance,
    partial-outage or major-outage.

    \b
      oncall page report API operational --for 5m
      if curl -fsS https://api.example/health; then oncall page report API operational --for 3m
      else oncall page report API major-outage --for 3m; fi
    """
    length = times.to_duration(times.span("--for", for_))
    with connected() as server:
        component_id = components_of(server, find_page(server, page).id).find_id(name)
        request = ReportComponentStatusRequest(
            component_id=component_id,
            status=status.to_pb(),
            expires_after=length,
            status_when_silent=silent_as.to_pb() if silent_as else COMPONENT_STATUS_UNSPECIFIED,
        )
        reported = server.pages.ReportComponentStatus(request)
    if as_json:
        print_json(reported)
        return
    component = reported.component
    shown, until = enum_words(component, "shown_status").lower(), local_time(component.report.expires_at)
    print(f"{visible(component.name)} is shown as {shown}; the report counts until {until}")
