"""`oncall incident create`: something is wrong, and who reads the page is told."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import times
from cli.component_status import ImpactOption, read_impacts
from cli.connection import Server, connected
from cli.failure import fail
from cli.incident.options import MessageOption, Severity, Status, read_message, severity_to_pb, status_to_pb
from cli.lookup import TeamOption, find_service, find_team
from cli.output import Json, note, print_json
from cli.page.lookup import PageOption, components_of, find_page
from cli.visible import visible
from oncall.v1.incident_pb2 import Incident
from oncall.v1.incident_service_pb2 import CreateIncidentRequest

LabelOption = Annotated[
    list[str] | None, typer.Option("--label", metavar="KEY=VALUE", help="What it is about, for workflows; repeatable.")
]


def create(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What is wrong, in one line; people read it.")],
    severity: Annotated[Severity, typer.Option("--severity", "-s", help="How bad it is, sev1 the worst.")],
    page: PageOption = "",
    impact: ImpactOption = None,
    message: MessageOption = "",
    status: Annotated[Status | None, typer.Option(help="Where it stands; by default investigating.")] = None,
    description: Annotated[str, typer.Option(help="What is known, for the team alone.")] = "",
    service: Annotated[str, typer.Option(help="Name or id of the service that it is about.")] = "",
    label: LabelOption = None,
    began: Annotated[str, typer.Option(metavar="TIME", help="When it began: 2030-01-31T08:00, or 20m ago.")] = "",
    team: TeamOption = "",
    as_json: Json = False,
) -> None:
    """Open an incident, and tell of it on a page, if it is to be told: with --page or --impact.

    The id goes to standard output. Nothing of the description is ever shown on a page.

    \b
      oncall incident create 'Payments fail' -s sev1 -i Checkout=partial-outage -m 'Some cards are declined.'
      oncall incident create 'Disk of db-7 fills up' -s sev3 --description 'See the graph.' --service db
    """
    labels = _labels(label or [])
    started_at = times.past("--began", began, datetime.now(UTC))
    said = read_message(message)
    with connected() as server:
        new = Incident(
            title=title,
            severity=severity_to_pb(severity),
            status=status_to_pb(status),
            description=description,
            labels=labels,
            started_at=started_at,
        )
        if page or impact:
            _place(server, new, page, impact or [])
        else:
            new.team_id = find_team(server, team)
        if service:
            new.service_id = find_service(server, service, new.team_id)
        request = CreateIncidentRequest(incident=new, message=said, request_id=str(uuid.uuid4()))
        created = server.incidents.CreateIncident(request)
    if as_json:
        print_json(created)
        return
    note(f"opened {visible(title)}{'; the page tells of it' if new.status_page_id else '; no page tells of it'}")
    print(created.incident.id)


def _place(server: Server, new: Incident, page: str, impacts: list[str]) -> None:
    """Sets the page, whose team it then is, and what it does to components of it."""
    found = find_page(server, page)
    new.status_page_id, new.team_id = found.id, found.team_id
    if impacts:
        new.impacts.extend(read_impacts(impacts, components_of(server, found.id).find_id))


def _labels(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for text, (key, equals, _) in zip(texts, pairs, strict=True):
        if not equals or not key:
            fail(f"--label: {visible(text)!r} is not KEY=VALUE")
    return {key: value for key, _, value in pairs}
