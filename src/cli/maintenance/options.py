"""What the verbs about maintenances have in common: which one is meant, and between which times."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from cli import times
from cli.connection import Server
from cli.failure import REFUSED, fail
from cli.lookup import is_id
from cli.page.lookup import find_page, visible_pages
from cli.paging import paged
from cli.visible import visible
from oncall.v1 import maintenance_pb2 as pb
from oncall.v1.status_page_service_pb2 import GetMaintenanceRequest, ListMaintenancesRequest


class Status(StrEnum):
    SCHEDULED = "scheduled"
    IN_PROGRESS = "in-progress"
    VERIFYING = "verifying"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


MaintenanceName = Annotated[
    str, typer.Argument(metavar="MAINTENANCE", help="Id of a maintenance, or the title of one that has not ended.")
]
ComponentOption = Annotated[
    list[str] | None,
    typer.Option(
        "--component", "-c", metavar="NAME", help="What it is about, a group with its own; repeat it for more."
    ),
]
UntilOption = Annotated[str, typer.Option("--until", metavar="TIME", help="When it is to end: as for --from.")]
LastsOption = Annotated[str, typer.Option("--lasts", metavar="SPAN", help="Or how long it lasts, such as 90m.")]


def status_to_pb(status: Status | None) -> pb.MaintenanceStatus.ValueType:
    return pb.MaintenanceStatus.Value(f"MAINTENANCE_STATUS_{status.name if status else 'UNSPECIFIED'}")


def end(until: str, lasts: str, begins: Timestamp | None, now: datetime) -> Timestamp | None:
    """Answers when it is to end, by a time or by how long after its beginning; None where neither was said."""
    if until and lasts:
        fail("--until and --lasts exclude each other")
    if not lasts or begins is None:
        return times.coming("--until", until, now)
    ends = Timestamp()
    try:
        ends.FromDatetime(begins.ToDatetime() + times.span("--lasts", lasts))
    except OverflowError:
        fail(f"--lasts: {visible(lasts)!r} ends later than any calendar")
    return ends


def find_maintenance(server: Server, name: str, page: str) -> pb.Maintenance:
    """Answers the maintenance of that id, or the one of that title that has not ended."""
    if is_id(name):
        return server.pages.GetMaintenance(GetMaintenanceRequest(maintenance_id=name)).maintenance
    pages = [find_page(server, page)] if page else visible_pages(server)
    every = (
        item
        for on in pages
        for item in paged(server.pages.ListMaintenances, ListMaintenancesRequest(status_page_id=on.id), "maintenances")
    )
    found = [item for item in every if item.title == name and not item.HasField("ended_at")]
    if not found:
        fail(f"you can see no maintenance {visible(name)!r} that has not ended: see `oncall maintenance list`", REFUSED)
    if len(found) > 1:
        ids = ", ".join(item.id for item in found)
        fail(f"several maintenances are called {visible(name)!r}: choose one: {ids}")
    return server.pages.GetMaintenance(GetMaintenanceRequest(maintenance_id=found[0].id)).maintenance
