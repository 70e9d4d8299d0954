"""What the verbs about incidents have in common: how statuses and severities are typed, and which incident is meant."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cli.connection import Server
from cli.failure import REFUSED, fail
from cli.lookup import is_id
from cli.paging import paged
from cli.runbook_content import read_text
from cli.visible import visible
from oncall.v1 import incident_pb2 as pb
from oncall.v1.incident_service_pb2 import GetIncidentRequest, ListIncidentsRequest


class Status(StrEnum):
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    POSTMORTEM = "postmortem"


class Severity(StrEnum):
    SEV1 = "sev1"
    SEV2 = "sev2"
    SEV3 = "sev3"
    SEV4 = "sev4"


IncidentName = Annotated[
    str, typer.Argument(metavar="INCIDENT", help="Id of an incident, or the title of an open one.")
]
MessageOption = Annotated[
    str,
    typer.Option("--message", "-m", metavar="TEXT", help="For those who read the page, in Markdown; -: from input."),
]


def status_to_pb(status: Status | None) -> pb.IncidentStatus.ValueType:
    return pb.IncidentStatus.Value(f"INCIDENT_STATUS_{status.name if status else 'UNSPECIFIED'}")


def severity_to_pb(severity: Severity | None) -> pb.IncidentSeverity.ValueType:
    return pb.IncidentSeverity.Value(f"INCIDENT_SEVERITY_{severity.name if severity else 'UNSPECIFIED'}")


def read_message(text: str) -> str:
    """Answers what is to be said; `-` reads it from standard input."""
    return read_text("-").strip() if text == "-" else text


def find_incident(server: Server, name: str) -> pb.Incident:
    """Answers the incident of that id, or the open one of that title."""
    if is_id(name):
        return server.incidents.GetIncident(GetIncidentRequest(incident_id=name)).incident
    every = paged(server.incidents.ListIncidents, ListIncidentsRequest(), "incidents")
    found = [item for item in every if item.title == name and not item.HasField("resolved_at")]
    if not found:
        fail(f"you can see no open incident {visible(name)!r}: see `oncall incident list`", REFUSED)
    if len(found) > 1:
        ids = ", ".join(item.id for item in found)
        fail(f"several open incidents are called {visible(name)!r}: choose one: {ids}")
    return server.incidents.GetIncident(GetIncidentRequest(incident_id=found[0].id)).incident
