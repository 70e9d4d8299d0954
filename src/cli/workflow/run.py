"""`oncall workflow run`: starts a run, whatever the trigger."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer

from cli.connection import connected
from cli.incident.options import find_incident
from cli.lookup import TeamOption, find_workflow
from cli.output import Json, note, print_json
from cli.visible import visible
from cli.workflow.options import WorkflowName
from cli.workflow.watch import printer_for, watch_run
from oncall.v1.workflow_service_pb2 import RunWorkflowRequest


def run(
    name: WorkflowName,
    incident: Annotated[
        str, typer.Option("--incident", "-i", metavar="INCIDENT", help="Id, or title of an open one, that it is about.")
    ] = "",
    team: TeamOption = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show what happens in it until it has ended.")] = False,
    request_id: Annotated[str, typer.Option(help="The same id starts one run, however often it is sent.")] = "",
    as_json: Json = False,
) -> None:
    """Start a run of a workflow, whatever its trigger and whether or not it is enabled.

    The run's id goes to standard output; with --watch it is shown as by `oncall workflow watch`, whose exit codes are
    then those of this command. Whoever starts a run cannot approve what it asks.

    \b
      oncall workflow run restart-on-alarm --incident 'Payments fail' --watch
      id=$(oncall workflow run nightly) && oncall workflow watch $id
    """
    with connected() as server:
        found = find_workflow(server, name, team)
        request = RunWorkflowRequest(workflow_id=found.id, request_id=request_id or str(uuid.uuid4()))
        if incident:
            request.incident_id = find_incident(server, incident).id
        started = server.workflows.RunWorkflow(request).workflow_run
        if watch:
            note(f"oncall: run {visible(started.id)} of {visible(found.name)}, version {started.workflow_version}")
            raise typer.Exit(watch_run(server, started.id, printer_for(as_json=as_json)))
    if as_json:
        print_json(started)
        return
    print(visible(started.id))
