"""What belongs to an incident: the executions and the runs of workflows that name it."""

from __future__ import annotations

from dataclasses import dataclass

from cli.connection import Server
from cli.executions import print_executions
from cli.paging import paged
from cli.workflow.runs import print_runs
from oncall.v1.execution_pb2 import Execution
from oncall.v1.runbook_service_pb2 import ListExecutionsRequest
from oncall.v1.workflow_pb2 import WorkflowRun
from oncall.v1.workflow_service_pb2 import ListWorkflowRunsRequest

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Belonging:
    """The newest of each, at most 20, newest first."""

    executions: list[Execution]
    runs: list[WorkflowRun]


def read_belonging(server: Server, incident_id: str) -> Belonging:
    executions = ListExecutionsRequest(incident_id=incident_id)
    runs = ListWorkflowRunsRequest(incident_id=incident_id)
    return Belonging(
        list(paged(server.runbooks.ListExecutions, executions, "executions", limit=MOST_SHOWN)),
        list(paged(server.workflows.ListWorkflowRuns, runs, "workflow_runs", limit=MOST_SHOWN)),
    )


def print_belonging(server: Server, incident_id: str, belonging: Belonging) -> None:
    """Prints what there is, and where to find the rest."""
    if belonging.runs:
        print("\nruns of workflows")
        print_runs(server, belonging.runs, empty="")
        _print_more(len(belonging.runs), f"oncall workflow runs --incident {incident_id} --limit 0")
    if belonging.executions:
        print("\nexecutions")
        print_executions(server, belonging.executions, empty="")
        _print_more(len(belonging.executions), f"oncall executions --incident {incident_id} --limit 0")


def _print_more(shown: int, command: str) -> None:
    if shown == MOST_SHOWN:
        print(f"perhaps more: `{command}`")
