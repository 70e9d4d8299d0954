"""`oncall workflow list` and `show`: what starts by itself, and what it does then."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer

from cli.as_code.workflow.fields import node_work
from cli.as_code.workflow.names import Names, read_names
from cli.connection import connected
from cli.lookup import TeamOption, find_team, find_workflow, team_names
from cli.output import Json, enum_words, local_time, print_details, print_json, print_table, to_json
from cli.paging import paged
from cli.workflow.options import WorkflowName, event_words
from oncall.v1.workflow_pb2 import Workflow, WorkflowEvent, WorkflowNode
from oncall.v1.workflow_service_pb2 import ListWorkflowsRequest

_COLUMNS = ("ID", "NAME", "STARTS ON", "ENABLED", "VERSION", "TEAM", "UPDATED")


class Event(StrEnum):
    MANUAL = "manual"
    INCIDENT_CREATED = "incident-created"
    INCIDENT_UPDATED = "incident-updated"
    INCIDENT_RESOLVED = "incident-resolved"


def list_(
    event: Annotated[Event | None, typer.Option(help="Only those that this starts.")] = None,
    team: TeamOption = "",
    limit: Annotated[int, typer.Option(min=0, help="How many at most; 0: all of them.")] = 0,
    as_json: Json = False,
) -> None:
    """List workflows, newest first.

    \b
      oncall workflow list --event incident-created
      oncall workflow list --json | jq -r '.workflows[].name'
    """
    with connected() as server:
        request = ListWorkflowsRequest(
            team_id=find_team(server, team) if team else "",
            event=WorkflowEvent.Value(f"WORKFLOW_EVENT_{event.name if event else 'UNSPECIFIED'}"),
        )
        found = list(paged(server.workflows.ListWorkflows, request, "workflows", limit=limit))
        if as_json:
            print_json({"workflows": [to_json(item) for item in found]})
            return
        teams = team_names(server)
    rows = [
        (
            item.id,
            item.name,
            event_words(item),
            "yes" if item.enabled else "no",
            str(item.version),
            teams.get(item.team_id, item.team_id),
            local_time(item.updated_at),
        )
        for item in found
    ]
    print_table(_COLUMNS, rows, empty="no workflows")


def show(name: WorkflowName, team: TeamOption = "", as_json: Json = False) -> None:
    """Show what starts a workflow, and its steps: what each does, and what leads to it.

    \b
      oncall workflow show restart-on-alarm
      oncall workflow export restart-on-alarm --to workflows/      # all that it says, as a file
    """
    with connected() as server:
        found = find_workflow(server, name, team)
        if as_json:
            print_json(found)
            return
        names = read_names(server, found.team_id)
        team = team_names(server).get(found.team_id, found.team_id)
    print_details(_details(found, team, names))
    print()
    rows = [(node.name, *_does(node, names), ", ".join(_after(found, node.name))) for node in found.nodes]
    print_table(("STEP", "KIND", "WHAT", "AFTER"), rows, empty="")


def _details(found: Workflow, team: str, names: Names) -> list[tuple[str, str]]:
    undo = found.compensation.runbook.runbook_id
    return [
        ("name", found.name),
        ("id", found.id),
        ("team", team),
        ("description", found.description.replace("\n", " ")),
        ("starts on", event_words(found)),
        ("where", found.trigger.condition),
        ("enabled", "yes" if found.enabled else "no: it starts by hand alone"),
        ("time", f"{found.timeout_seconds} s"),
        ("stops where", found.brake.condition),
        ("stops after", f"{found.brake.failed_runs} failed runs in a row" if found.brake.failed_runs else ""),
        ("undone by", names.runbooks.get(undo, undo)),
        ("secrets", ", ".join(found.secret_names)),
        ("version", str(found.version)),
        ("updated", local_time(found.updated_at)),
    ]


def _does(node: WorkflowNode, names: Names) -> tuple[str, str]:
    """Answers the kind of a step, and what it does in a few words."""
    kind = node.WhichOneof("work") or "unknown"
    said = node_work(node, kind, names)
    leading = ("name", "expression", "subject", "url", "seconds", "question")
    first = next((str(said[field]) for field in leading if field in said), "")
    return kind, first if kind != "delay" else f"{first} s"


def _after(found: Workflow, name: str) -> Iterator[str]:
    """Yields what leads to a step."""
    for edge in found.edges:
        if edge.to_node == name:
            yield f"{edge.from_node} on {enum_words(edge, 'on').lower()}"
