"""What the verbs about workflows have in common: how they name a workflow and a run, and read one."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.connection import Server
from cli.output import enum_words
from oncall.errors import OncallError
from oncall.v1.workflow_pb2 import Workflow, WorkflowRun
from oncall.v1.workflow_service_pb2 import GetWorkflowRequest, GetWorkflowRunRequest

WorkflowName = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of a workflow.")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, see `oncall workflow runs`.")]


def read_run(server: Server, run_id: str) -> WorkflowRun:
    return server.workflows.GetWorkflowRun(GetWorkflowRunRequest(workflow_run_id=run_id)).workflow_run


def workflow_names(server: Server, ids: set[str]) -> dict[str, str]:
    """Answers the names of workflows by id; one that was deleted keeps its id."""
    names = dict(zip(ids, ids, strict=True))
    for workflow_id in ids:
        try:
            request = GetWorkflowRequest(workflow_id=workflow_id)
            names[workflow_id] = server.workflows.GetWorkflow(request).workflow.name
        except OncallError as error:
            if error.is_transient:
                raise
    return names


def event_words(item: Workflow | WorkflowRun) -> str:
    """Answers what starts a workflow, or started a run: `incident created`."""
    return enum_words(item.trigger if isinstance(item, Workflow) else item, "event").lower()
