"""Does what a plan says of one runbook."""

from __future__ import annotations

import uuid
from typing import Any

from cli.as_code.applying import Outcome, explain
from cli.as_code.problem import Path, parsed
from cli.as_code.runbook.plan import Step
from cli.connection import Server
from cli.failure import REFUSED, exit_code
from oncall.errors import OncallError
from oncall.v1.runbook_pb2 import Runbook, RunbookVersion
from oncall.v1.runbook_service_pb2 import (
    CreateRunbookRequest,
    CreateRunbookVersionRequest,
    SubmitRunbookForReviewRequest,
    UpdateRunbookRequest,
)


def carry_out(server: Server, step: Step) -> Outcome[Step]:
    """Makes the server be as the file says. Ended in the middle, a second apply does what is left."""
    outcome = Outcome(step)
    if step.runbook and step.before:
        outcome.id, outcome.version = step.runbook.id, step.before.version
    try:
        _write(server, step, outcome)
        if step.submits:
            server.runbooks.SubmitRunbookForReview(
                SubmitRunbookForReviewRequest(runbook_id=outcome.id, version=outcome.version)
            )
            outcome.done.append("submitted")
    except OncallError as error:
        outcome.error = explain(step.manifest.document, error, server.address, lambda field: _place(step, field))
        outcome.code = exit_code(error)
    except _OtherDigest as error:
        outcome.error, outcome.code = str(error), REFUSED
    return outcome


def _write(server: Server, step: Step, outcome: Outcome[Step]) -> None:
    form, version = step.manifest.form, step.manifest.version
    if step.runbook is None:
        wanted = Runbook(team_id=step.team_id, name=form.name, description=form.description, service_id=step.service_id)
        request = CreateRunbookRequest(runbook=wanted, version=version, request_id=str(uuid.uuid4()))
        created = server.runbooks.CreateRunbook(request)
        outcome.id = created.runbook.id
        _note_version(step, outcome, created.version, "created")
        return
    if step.changed_fields:
        changed = Runbook(
            id=step.runbook.id, etag=step.runbook.etag, description=form.description, service_id=step.service_id
        )
        update = UpdateRunbookRequest(runbook=changed)
        update.update_mask.paths.extend(step.changed_fields)
        server.runbooks.UpdateRunbook(update)
        outcome.done.append("updated")
    if step.new_version:
        added = CreateRunbookVersionRequest(runbook_id=step.runbook.id, version=version, request_id=str(uuid.uuid4()))
        _note_version(step, outcome, server.runbooks.CreateRunbookVersion(added).version, "new version")


class _OtherDigest(Exception):
    pass


def _note_version(step: Step, outcome: Outcome[Step], written: RunbookVersion, what: str) -> None:
    outcome.done.append(what)
    outcome.version = written.version
    if written.digest != step.manifest.digest:
        raise _OtherDigest(
            f"the server wrote version {written.version} with another digest than the file has: read it before "
            "anybody approves it, and use the release of this command that goes with the server"
        )


def _place(step: Step, field_path: str) -> Path:
    """Answers where in the file a field of the API stands: `version.limits.cpus` is `("limits", "cpus")`."""
    path = parsed(field_path.removeprefix("version.").removeprefix("runbook."))
    names: dict[Any, str] = {"service_id": "service", "team_id": "team"}
    if step.manifest.form.script_file is not None:
        names["script"] = "script_file"
    return (names.get(path[0], path[0]), *path[1:])
