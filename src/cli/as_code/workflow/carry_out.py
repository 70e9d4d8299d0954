"""Does what a plan says of one workflow."""

from __future__ import annotations

import uuid

from cli.as_code.applying import Outcome, explain
from cli.as_code.problem import Path, parsed
from cli.as_code.workflow.plan import Step
from cli.connection import Server
from cli.failure import exit_code
from oncall.errors import OncallError
from oncall.v1.workflow_pb2 import Workflow
from oncall.v1.workflow_service_pb2 import CreateWorkflowRequest, UpdateWorkflowRequest


def carry_out(server: Server, step: Step) -> Outcome[Step]:
    """Makes the server be as the file says, at once or not at all."""
    outcome = Outcome(step)
    if step.before is not None:
        outcome.id, outcome.version = step.before.id, step.before.version
    try:
        written = _write(server, step)
    except OncallError as error:
        outcome.error = explain(step.manifest.document, error, server.address, place)
        outcome.code = exit_code(error)
    else:
        outcome.done.append("created" if step.before is None else "updated")
        outcome.id, outcome.version = written.id, written.version
    return outcome


def _write(server: Server, step: Step) -> Workflow:
    if step.before is None:
        request = CreateWorkflowRequest(workflow=step.wanted, request_id=str(uuid.uuid4()))
        return server.workflows.CreateWorkflow(request).workflow
    changed = Workflow()
    changed.CopyFrom(step.wanted)
    changed.id, changed.etag = step.before.id, step.before.etag
    update = UpdateWorkflowRequest(workflow=changed)
    update.update_mask.paths.extend(step.changed_fields)
    return server.workflows.UpdateWorkflow(update).workflow


def place(field: str) -> Path:
    """Answers where in the file a field of the API stands: `workflow.nodes[1].runbook.runbook_id` is its `name`."""
    path = parsed(field.removeprefix("workflow."))
    match path:
        case (*before, "runbook", "runbook_id"):
            return (*before, "runbook", "name")
        case (*before, "notify", "channel_ids"):
            return (*before, "notify", "channels")
        case (*before, "notify", "channel_ids", int(position)):
            return (*before, "notify", "channels", position)
    return path
