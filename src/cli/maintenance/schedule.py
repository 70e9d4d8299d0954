"""`oncall maintenance schedule`: who reads the page hears of work before it is done."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import times
from cli.connection import connected
from cli.failure import fail
from cli.incident.options import read_message
from cli.maintenance.options import ComponentOption, LastsOption, UntilOption, end
from cli.output import Json, local_time, note, print_json
from cli.page.lookup import PageOption, components_of, find_page
from cli.visible import visible
from oncall.v1.maintenance_pb2 import Maintenance
from oncall.v1.status_page_service_pb2 import ScheduleMaintenanceRequest


def schedule(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What is done, in one line; people read it.")],
    from_: Annotated[
        str, typer.Option("--from", metavar="TIME", help="When it is to begin: 2030-01-31T22:00+01:00, or in 2h.")
    ],
    message: Annotated[
        str,
        typer.Option("--message", "-m", metavar="TEXT", help="What it means for readers, in Markdown; -: from input."),
    ],
    component: ComponentOption = None,
    until: UntilOption = "",
    lasts: LastsOption = "",
    page: PageOption = "",
    as_json: Json = False,
) -> None:
    """Announce a maintenance of components. It begins and ends by itself at its times. The id goes to standard output.

    A time that names no zone is in yours.

    \b
      oncall maintenance schedule 'Database upgrade' -c API -c Checkout \\
          --from 2030-01-31T22:00 --lasts 90m -m 'Orders are taken, but confirmed late.'
      oncall maintenance schedule 'New certificate' -c API --from 2h --until 3h -m 'Nobody should notice.'
    """
    now = datetime.now(UTC)
    begins = times.coming("--from", from_, now)
    ends = end(until, lasts, begins, now)
    if ends is None:
        fail("say when it ends: --until or --lasts")
    if not component:
        fail("say what it is about: --component")
    said = read_message(message)
    with connected() as server:
        found = find_page(server, page)
        new = Maintenance(
            status_page_id=found.id,
            title=title,
            component_ids=map(components_of(server, found.id).find_id, component),
            scheduled_for=begins,
            scheduled_until=ends,
        )
        request = ScheduleMaintenanceRequest(maintenance=new, message=said, request_id=str(uuid.uuid4()))
        scheduled = server.pages.ScheduleMaintenance(request)
    if as_json:
        print_json(scheduled)
        return
    made = scheduled.maintenance
    note(f"{visible(title)} is to be from {local_time(made.scheduled_for)} until {local_time(made.scheduled_until)}")
    print(made.id)
