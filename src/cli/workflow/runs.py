"""`oncall workflow runs`, `status` and `cancel`: what runs and ran, how it went, and an end to it."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Annotated

import typer

from cli.connection import Server, connected
from cli.incident.options import find_incident
from cli.lookup import TeamOption, find_team, find_workflow, member_names
from cli.output import Json, enum_name, local_time, note, print_details, print_json, print_table, to_json
from cli.paging import paged
from cli.visible import visible
from cli.workflow.options import RunId, event_words, read_run, workflow_names
from cli.workflow.run_printer import duration, named_steps, remarks, summary
from oncall.v1.workflow_pb2 import WorkflowRun, WorkflowRunStatus
from oncall.v1.workflow_service_pb2 import CancelWorkflowRunRequest, ListWorkflowRunsRequest


class Status(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    STOPPED = "stopped"


def runs(
    workflow: Annotated[str, typer.Option("--workflow", "-w", metavar="NAME", help="Only of this workflow.")] = "",
    incident: Annotated[str, typer.Option("--incident", "-i", metavar="INCIDENT", help="Only of this incident.")] = "",
    status: Annotated[Status | None, typer.Option(help="Only in this status.")] = None,
    team: TeamOption = "",
    limit: Annotated[int, typer.Option(min=0, help="How many at most; 0: all of them.")] = 20,
    as_json: Json = False,
) -> None:
    """List runs, newest first.

    \b
      oncall workflow runs --status running
      oncall workflow runs --workflow restart-on-alarm --limit 0 --json | jq -r '.workflow_runs[].id'
    """
    with connected() as server:
        request = ListWorkflowRunsRequest(
            team_id=find_team(server, team) if team else "",
            workflow_id=find_workflow(server, workflow, team).id if workflow else "",
            incident_id=find_incident(server, incident).id if incident else "",
            status=WorkflowRunStatus.Value(f"WORKFLOW_RUN_STATUS_{status.name if status else 'UNSPECIFIED'}"),
        )
        found = list(paged(server.workflows.ListWorkflowRuns, request, "workflow_runs", limit=limit))
        if as_json:
            print_json({"workflow_runs": [to_json(item) for item in found]})
            return
        print_runs(server, found, empty="no runs")


def print_runs(server: Server, found: Collection[WorkflowRun], *, empty: str) -> None:
    names = workflow_names(server, {item.workflow_id for item in found})
    rows = [
        (
            item.id,
            names[item.workflow_id],
            str(item.workflow_version),
            enum_name(item, "status"),
            event_words(item),
            local_time(item.created_at),
            duration(item.created_at, item.completed_at),
        )
        for item in found
    ]
    print_table(("RUN", "WORKFLOW", "VERSION", "STATUS", "STARTED ON", "STARTED", "TOOK"), rows, empty=empty)


def status(run_id: RunId, as_json: Json = False) -> None:
    """Show where a run stands, step by step.

    \b
      oncall workflow status 0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e
    """
    with connected() as server:
        found = read_run(server, run_id)
        if as_json:
            print_json(found)
            return
        names = member_names(server, found.team_id) if found.triggered_by else {}
        starter = names.get(found.triggered_by, found.triggered_by)
    print_details(_details(found, starter))
    print()
    rows = [
        (name, enum_name(step, "status"), local_time(step.started_at), "; ".join(remarks(found, step)))
        for name, step in named_steps(found)
    ]
    print_table(("STEP", "STATUS", "BEGAN", "NOTE"), rows, empty="")


def cancel(run_id: RunId, as_json: Json = False) -> None:
    """Cancel a run: what runs is cancelled, and nothing more begins.

    \b
      oncall workflow cancel 0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e
    """
    with connected() as server:
        request = CancelWorkflowRunRequest(workflow_run_id=run_id)
        found = server.workflows.CancelWorkflowRun(request).workflow_run
    if as_json:
        print_json(found)
    elif found.HasField("completed_at"):
        note(summary(found))
    else:
        note(f"asked it to stop; `oncall workflow watch {visible(found.id)}` shows when it has")


def _details(found: WorkflowRun, starter: str) -> list[tuple[str, str]]:
    return [
        ("run", found.id),
        ("workflow", f"{found.workflow.name}, version {found.workflow_version}"),
        ("status", enum_name(found, "status")),
        ("problem", found.problem),
        ("started on", event_words(found)),
        ("started by", starter or "the platform"),
        ("incident", found.incident_id),
        ("started", local_time(found.created_at)),
        ("has to end", "" if found.HasField("completed_at") else local_time(found.deadline)),
        ("cancelled", local_time(found.cancel_requested_at)),
        ("ended", local_time(found.completed_at)),
        ("took", duration(found.created_at, found.completed_at)),
    ]
