"""`oncall incident update`, `acknowledge` and `resolve`: what becomes of an incident."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer

from cli.component_status import ImpactOption, read_impacts
from cli.connection import connected
from cli.failure import fail
from cli.incident.options import (
    IncidentName,
    MessageOption,
    Severity,
    Status,
    find_incident,
    read_message,
    severity_to_pb,
    status_to_pb,
)
from cli.output import Json, enum_words, local_time, print_json
from cli.page.lookup import components_of
from cli.visible import visible
from oncall.v1.incident_pb2 import Incident
from oncall.v1.incident_service_pb2 import (
    AcknowledgeIncidentRequest,
    AddIncidentUpdateRequest,
    ResolveIncidentRequest,
)


def update(
    name: IncidentName,
    message: Annotated[
        str,
        typer.Option(
            "--message", "-m", metavar="TEXT", help="For those who read the page, in Markdown; -: from input."
        ),
    ],
    status: Annotated[Status | None, typer.Option(help="Where it stands from now on; else as before.")] = None,
    severity: Annotated[
        Severity | None, typer.Option("--severity", "-s", help="How bad it is; else as before.")
    ] = None,
    impact: ImpactOption = None,
    as_json: Json = False,
) -> None:
    """Say something about an incident, and what it affects now.

    Where it stands may change with it; components that are not named stay as they are. Resolved ends all impacts;
    postmortem follows only that; any other status of a resolved incident opens it again.

    \b
      oncall incident update 'Payments fail' --status identified -m 'A provider has an outage.'
      oncall incident update 'Payments fail' --severity sev1 -m 'No card works any more.'
      oncall incident update 'Payments fail' -i Checkout=degraded-performance -m 'Cards work again, but slowly.'
    """
    said = read_message(message)
    with connected() as server:
        found = find_incident(server, name)
        if impact and not found.status_page_id:
            fail("no page tells of this incident, so it can have no impact on components")
        impacts = read_impacts(impact, components_of(server, found.status_page_id).find_id) if impact else []
        request = AddIncidentUpdateRequest(
            incident_id=found.id,
            status=status_to_pb(status),
            severity=severity_to_pb(severity),
            message=said,
            impacts=impacts,
            etag=found.etag,
            request_id=str(uuid.uuid4()),
        )
        updated = server.incidents.AddIncidentUpdate(request)
    _say(updated.incident, as_json)


def acknowledge(name: IncidentName, as_json: Json = False) -> None:
    """Take an incident on. One that was taken on already stays with whoever did it first.

    \b
      oncall incident acknowledge 'Payments fail'
    """
    with connected() as server:
        request = AcknowledgeIncidentRequest(incident_id=find_incident(server, name).id)
        taken = server.incidents.AcknowledgeIncident(request).incident
    if as_json:
        print_json(taken)
        return
    when, who = local_time(taken.acknowledged_at), visible(taken.acknowledged_by)
    print(f"{visible(taken.title)} was taken on {when} by {who}")


def resolve(name: IncidentName, message: MessageOption = "", as_json: Json = False) -> None:
    """Say that an incident is over: it affects nothing any more. An update with another status opens it again.

    \b
      oncall incident resolve 'Payments fail' -m 'All cards work again.'
    """
    said = read_message(message)
    with connected() as server:
        request = ResolveIncidentRequest(incident_id=find_incident(server, name).id, message=said)
        resolved = server.incidents.ResolveIncident(request)
    _say(resolved.incident, as_json)


def _say(incident: Incident, as_json: bool) -> None:
    if as_json:
        print_json(incident)
        return
    print(f"{visible(incident.title)} is {enum_words(incident, 'status').lower()}")
