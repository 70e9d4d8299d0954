"""`oncall maintenance update`, `begin`, `verify`, `complete` and `cancel`: what becomes of a maintenance."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from google.protobuf.field_mask_pb2 import FieldMask

from cli import confirmation, times
from cli.connection import Server, connected
from cli.failure import fail
from cli.incident.options import MessageOption, read_message
from cli.maintenance.options import (
    ComponentOption,
    LastsOption,
    MaintenanceName,
    Status,
    UntilOption,
    end,
    find_maintenance,
    status_to_pb,
)
from cli.output import Json, enum_words, print_json
from cli.page.lookup import PageOption, components_of
from cli.visible import visible
from oncall.v1.maintenance_pb2 import MAINTENANCE_STATUS_SCHEDULED, Maintenance
from oncall.v1.status_page_service_pb2 import CancelMaintenanceRequest, UpdateMaintenanceRequest


def update(
    name: MaintenanceName,
    page: PageOption = "",
    title: Annotated[str | None, typer.Option(help="What is done, in one line.")] = None,
    component: ComponentOption = None,
    from_: Annotated[str, typer.Option("--from", metavar="TIME", help="When it is to begin, or in 2h.")] = "",
    until: UntilOption = "",
    lasts: LastsOption = "",
    message: MessageOption = "",
    as_json: Json = False,
) -> None:
    """Change a maintenance, or say something about it. Components that are given replace those it had.

    \b
      oncall maintenance update 'Database upgrade' --until 2030-02-01T00:30 -m 'It takes longer than we thought.'
    """
    now, said = datetime.now(UTC), read_message(message)
    begins = times.coming("--from", from_, now)
    with connected() as server:
        found = find_maintenance(server, name, page)
        given: dict[str, Any] = {
            "title": title,
            "scheduled_for": begins,
            "scheduled_until": end(until, lasts, begins or found.scheduled_for, now),
        }
        changes = {field: value for field, value in given.items() if value is not None}
        if component:
            changes["component_ids"] = [*map(components_of(server, found.status_page_id).find_id, component)]
        if not changes and not said:
            fail("say what to change, or a --message: see `oncall maintenance update --help`")
        updated = _change(server, found, changes, said)
    _say(updated, as_json)


def begin(name: MaintenanceName, page: PageOption = "", message: MessageOption = "", as_json: Json = False) -> None:
    """Begin a maintenance before its time: its components are under maintenance from now on.

    \b
      oncall maintenance begin 'Database upgrade'
    """
    _go_on(name, page, message, Status.IN_PROGRESS, as_json)


def verify(name: MaintenanceName, page: PageOption = "", message: MessageOption = "", as_json: Json = False) -> None:
    """Say that the work is done, and being looked at; its components still are under maintenance.

    \b
      oncall maintenance verify 'Database upgrade'
    """
    _go_on(name, page, message, Status.VERIFYING, as_json)


def complete(name: MaintenanceName, page: PageOption = "", message: MessageOption = "", as_json: Json = False) -> None:
    """End a maintenance before its time: its components are as they were.

    \b
      oncall maintenance complete 'Database upgrade' -m 'Done, earlier than announced.'
    """
    _go_on(name, page, message, Status.COMPLETED, as_json)


def cancel(
    name: MaintenanceName,
    page: PageOption = "",
    message: MessageOption = "",
    yes: confirmation.Yes = False,
    as_json: Json = False,
) -> None:
    """Call a maintenance off, or end one that is under way. Either is for good.

    No page tells of one that was called off; one that is under way is completed.

    \b
      oncall maintenance cancel 'Database upgrade'
    """
    said = read_message(message)
    with connected() as server:
        found = find_maintenance(server, name, page)
        does = "Call off" if found.status == MAINTENANCE_STATUS_SCHEDULED else "End"
        question = f"{does} {visible(found.title)}? It is for good."
        confirmation.require(question, yes=yes, otherwise="nothing was changed")
        request = CancelMaintenanceRequest(maintenance_id=found.id, message=said)
        cancelled = server.pages.CancelMaintenance(request).maintenance
    _say(cancelled, as_json)


def _go_on(name: str, page: str, message: str, status: Status, as_json: bool) -> None:
    said = read_message(message)
    with connected() as server:
        found = find_maintenance(server, name, page)
        changed = _change(server, found, {"status": status_to_pb(status)}, said)
    _say(changed, as_json)


def _change(server: Server, found: Maintenance, changes: dict[str, Any], message: str) -> Maintenance:
    request = UpdateMaintenanceRequest(
        maintenance=Maintenance(id=found.id, etag=found.etag, **changes),
        update_mask=FieldMask(paths=sorted(changes)),
        message=message,
    )
    return server.pages.UpdateMaintenance(request).maintenance


def _say(maintenance: Maintenance, as_json: bool) -> None:
    if as_json:
        print_json(maintenance)
        return
    print(f"{visible(maintenance.title)} is {enum_words(maintenance, 'status').lower()}")
