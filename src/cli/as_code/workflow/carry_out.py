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
    outcome, written = _tried(server, step, validate_only=False)
    if written is not None:
        outcome.done.append("created" if step.before is None else "updated")
        outcome.id, outcome.version = written.id, written.version
    return outcome


def check(server: Server, step: Step) -> Outcome[Step]:
    """Asks the server what it would say, all that it checks included; nothing is stored."""
    return _tried(server, step, validate_only=True)[0]


def _tried(server: Server, step: Step, *, validate_only: bool) -> tuple[Outcome[Step], Workflow | None]:
    outcome = Outcome(step)
    if step.before is not None:
        outcome.id, outcome.version = step.before.id, step.before.version
    try:
        return outcome, _write(server, step, validate_only=validate_only)
    except OncallError as error:
        outcome.error = explain(step.manifest.document, error, server.address, place)
        outcome.code = exit_code(error)
    return outcome, None


def _write(server: Server, step: Step, *, validate_only: bool) -> Workflow:
    if step.before is None:
        request_id = str(uuid.uuid4())
        request = CreateWorkflowRequest(workflow=step.wanted, request_id=request_id, validate_only=validate_only)
        return server.workflows.CreateWorkflow(request).workflow
    changed = Workflow()
    changed.CopyFrom(step.wanted)
    changed.id, changed.etag = step.before.id, step.before.etag
    update = UpdateWorkflowRequest(workflow=changed, validate_only=validate_only)
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
