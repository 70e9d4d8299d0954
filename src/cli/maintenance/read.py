"""`oncall maintenance list` and `show`: what is announced, what is being done, and what was said of it."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.connection import connected
from cli.maintenance.options import MaintenanceName, Status, find_maintenance, status_to_pb
from cli.output import Json, enum_words, headline, local_time, print_details, print_json, print_table, to_json
from cli.page.lookup import PageName, PageOption, components_of, find_page, one_of
from cli.paging import paged
from cli.visible import visible_block
from oncall.v1.status_page_service_pb2 import ListMaintenancesRequest

_COLUMNS = ("ID", "TITLE", "STATUS", "FROM", "UNTIL", "COMPONENTS")


def list_(
    page: PageName = "",
    on: PageOption = "",
    status: Annotated[Status | None, typer.Option(help="Only in this status.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="How many at most; 0: all of them.")] = 20,
    as_json: Json = False,
) -> None:
    """List the maintenances of a page, newest first.

    \b
      oncall maintenance list shop --status scheduled
    """
    with connected() as server:
        found = find_page(server, one_of(page, on))
        request = ListMaintenancesRequest(status_page_id=found.id, status=status_to_pb(status))
        listed = list(paged(server.pages.ListMaintenances, request, "maintenances", limit=limit))
        if as_json:
            print_json({"maintenances": [to_json(item) for item in listed]})
            return
        components = components_of(server, found.id)
    rows = (
        (
            item.id,
            item.title,
            enum_words(item, "status"),
            local_time(item.scheduled_for),
            local_time(item.scheduled_until),
            ", ".join(map(components.name, item.component_ids)),
        )
        for item in listed
    )
    print_table(_COLUMNS, rows, empty="no maintenances")


def show(name: MaintenanceName, page: PageOption = "", as_json: Json = False) -> None:
    """Show a maintenance, and all that was said of it, oldest first.

    \b
      oncall maintenance show 'Database upgrade'
    """
    with connected() as server:
        found = find_maintenance(server, name, page)
        if as_json:
            print_json(found)
            return
        slug = find_page(server, found.status_page_id).slug
        components = components_of(server, found.status_page_id)
    print_details(
        [
            ("title", found.title),
            ("id", found.id),
            ("page", slug),
            ("status", enum_words(found, "status")),
            ("components", ", ".join(map(components.name, found.component_ids))),
            ("from", local_time(found.scheduled_for)),
            ("until", local_time(found.scheduled_until)),
            ("began", local_time(found.started_at)),
            ("ended", local_time(found.ended_at)),
        ]
    )
    for update in reversed(found.updates):
        print(f"\n{headline(update)}")
        print("\n".join(f"  {line}" for line in visible_block(update.message).splitlines()))
