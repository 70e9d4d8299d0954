"""`oncall workflow enable`, `disable` and `delete`: whether a workflow starts by itself, and its end."""

from __future__ import annotations

from cli.confirmation import Yes, require
from cli.connection import connected
from cli.lookup import TeamOption, find_workflow
from cli.output import Json, print_json
from cli.visible import visible
from cli.workflow.options import WorkflowName
from oncall.v1.workflow_pb2 import Workflow
from oncall.v1.workflow_service_pb2 import DeleteWorkflowRequest, UpdateWorkflowRequest


def enable(name: WorkflowName, team: TeamOption = "", as_json: Json = False) -> None:
    """Let a workflow start by its trigger. It is checked again first, for what it names may have changed.

    \b
      oncall workflow enable restart-on-alarm
    """
    _switch(name, team, to=True, as_json=as_json)


def disable(name: WorkflowName, team: TeamOption = "", as_json: Json = False) -> None:
    """Let a workflow start by its trigger no more. Runs that have started go on: see `oncall workflow cancel`.

    \b
      oncall workflow disable restart-on-alarm
    """
    _switch(name, team, to=False, as_json=as_json)


def delete(name: WorkflowName, team: TeamOption = "", yes: Yes = False) -> None:
    """Delete a workflow; its runs stay, and those that run go on.

    \b
      oncall workflow delete restart-on-alarm
    """
    with connected() as server:
        found = find_workflow(server, name, team)
        require(f"Delete the workflow {visible(found.name)}?", yes=yes, otherwise="nothing was deleted")
        server.workflows.DeleteWorkflow(DeleteWorkflowRequest(workflow_id=found.id, etag=found.etag))
    print(f"deleted {visible(found.name)}")


def _switch(name: str, team: str, *, to: bool, as_json: bool) -> None:
    with connected() as server:
        found = find_workflow(server, name, team)
        request = UpdateWorkflowRequest(workflow=Workflow(id=found.id, enabled=to))
        request.update_mask.paths.append("enabled")
        changed = server.workflows.UpdateWorkflow(request).workflow
    if as_json:
        print_json(changed)
        return
    print(f"{visible(changed.name)} is {'enabled' if changed.enabled else 'disabled'}")
