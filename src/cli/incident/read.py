"""`oncall incident list` and `show`: what is wrong, what it does, and what was said of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

import typer

from cli.component_status import words
from cli.connection import Server, connected
from cli.incident.belonging import print_belonging, read_belonging
from cli.incident.options import IncidentName, Severity, Status, find_incident, severity_to_pb, status_to_pb
from cli.lookup import TeamOption, find_service, find_team, member_names, team_names
from cli.output import (
    Json,
    enum_name,
    enum_words,
    headline,
    local_time,
    print_details,
    print_json,
    print_table,
    to_json,
)
from cli.page.lookup import Components, components_of, find_page
from cli.paging import paged
from cli.visible import visible_block
from oncall.errors import OncallError
from oncall.v1.incident_pb2 import Incident, IncidentUpdate
from oncall.v1.incident_service_pb2 import ListIncidentsRequest

_COLUMNS = ("ID", "TITLE", "SEVERITY", "STATUS", "BEGAN", "TAKEN ON", "RESOLVED")


def list_(
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are not resolved.")] = False,
    status: Annotated[Status | None, typer.Option(help="Only in this status.")] = None,
    severity: Annotated[Severity | None, typer.Option("--severity", "-s", help="Only of this severity.")] = None,
    page: Annotated[str, typer.Option("--page", "-p", metavar="PAGE", help="Only those told of on this page.")] = "",
    service: Annotated[str, typer.Option(help="Only about this service; by its name, with --team.")] = "",
    team: TeamOption = "",
    limit: Annotated[int, typer.Option(min=0, help="How many at most; 0: all of them.")] = 20,
    as_json: Json = False,
) -> None:
    """List incidents, newest first.

    \b
      oncall incident list --open
      oncall incident list --severity sev1 --limit 0 --json | jq -r '.incidents[].title'
    """
    with connected() as server:
        request = ListIncidentsRequest(
            team_id=find_team(server, team) if team else "",
            service_id=find_service(server, service, find_team(server, team)) if service else "",
            status_page_id=find_page(server, page).id if page else "",
            status=status_to_pb(status),
            severity=severity_to_pb(severity),
        )
        # What is open is found among all of them, for the API has no such filter.
        every = paged(server.incidents.ListIncidents, request, "incidents", limit=0 if only_open else limit)
        found = [item for item in every if not (only_open and item.HasField("resolved_at"))]
    found = found[:limit] if limit else found
    if as_json:
        print_json({"incidents": [to_json(item) for item in found]})
        return
    print_table(_COLUMNS, map(_row, found), empty="no incidents")


def show(name: IncidentName, as_json: Json = False) -> None:
    """Show an incident: what it affects, what was said, what ran.

    What was said of it stands oldest first; runs of workflows and executions newest first, at most 20 of each. With
    --json these stand as `workflow_runs` and `executions` beside the incident's own fields.

    \b
      oncall incident show 'Payments fail'
      oncall incident show 0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e --json
    """
    with connected() as server:
        found = find_incident(server, name)
        belonging = read_belonging(server, found.id)
        if as_json:
            executions, runs = map(to_json, belonging.executions), map(to_json, belonging.runs)
            print_json(to_json(found) | {"executions": list(executions), "workflow_runs": list(runs)})
            return
        team = team_names(server).get(found.team_id, found.team_id)
        people = member_names(server, found.team_id)
        page, components = _page(server, found)
        print_details(_details(found, team, page, people))
        _print_said(found, components, people)
        print_belonging(server, found.id, belonging)


def _print_said(found: Incident, components: Components, people: Mapping[str, str]) -> None:
    if found.impacts:
        print()
        rows = [(components.name(impact.component_id), words(impact.status)) for impact in found.impacts]
        print_table(("COMPONENT", "BECAUSE OF IT"), rows, empty="")
    for index, update in enumerate(reversed(found.updates)):
        # The sentence of an incident that was opened without one is nobody's, but somebody opened it.
        who = update.created_by or (found.created_by if index == 0 else "")
        print(f"\n{headline(update, people.get(who, who))}")
        for line in _said(update, components):
            print(f"  {line}")


def _page(server: Server, found: Incident) -> tuple[str, Components]:
    """Answers the slug and the components of the page; what is deleted, or may not be seen, keeps its id."""
    if not found.status_page_id:
        return "none", Components([])
    try:
        return find_page(server, found.status_page_id).slug, components_of(server, found.status_page_id)
    except OncallError as error:
        if error.is_transient:
            raise
        return found.status_page_id, Components([])


def _details(found: Incident, team: str, page: str, people: Mapping[str, str]) -> list[tuple[str, str]]:
    by = people.get(found.acknowledged_by, found.acknowledged_by)
    taken = f"{local_time(found.acknowledged_at)} by {by}" if by else "by nobody"
    return [
        ("title", found.title),
        ("id", found.id),
        ("severity", enum_name(found, "severity")),
        ("status", enum_words(found, "status")),
        ("team", team),
        ("page", page),
        ("service", found.service_id),
        ("description", found.description.replace("\n", " ")),
        ("labels", ", ".join(f"{key}={value}" for key, value in sorted(found.labels.items()))),
        ("began", local_time(found.started_at)),
        ("taken on", taken),
        ("watched", local_time(found.monitoring_at)),
        ("resolved", local_time(found.resolved_at)),
    ]


def _said(update: IncidentUpdate, components: Components) -> Iterator[str]:
    yield from visible_block(update.message).splitlines()
    for change in update.impact_changes:
        before, after = words(change.old_status).lower(), words(change.new_status).lower()
        yield f"{visible_block(components.name(change.component_id))}: {before} → {after}"


def _row(item: Incident) -> tuple[str, ...]:
    return (
        item.id,
        item.title,
        enum_name(item, "severity"),
        enum_words(item, "status"),
        local_time(item.started_at),
        local_time(item.acknowledged_at) or "-",
        local_time(item.resolved_at) or "-",
    )
