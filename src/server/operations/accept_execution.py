"""Accepts an execution, whoever wants it: the rules about what may run, its row, the first event of its log, its audit.

Whether somebody may want it, and whether they did before (`server.operations.once`), is for the caller to find out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from asyncpg import UniqueViolationError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.audit import AuditEntry
from kernel.cipher import Cipher
from kernel.errors import FailedPrecondition
from kernel.execution.content import ConcurrencyPolicy
from kernel.execution.event import Event
from kernel.execution.status import ExecutionTrigger
from kernel.lifecycle import create_pending, creation
from kernel.statement import Driver
from kernel.turns import Waiting, lock_line
from server.domain.execution import Execution, require_runnable, warnings_of
from server.domain.parameter import CheckedParameters, check_values
from server.domain.permission import Call, not_found
from server.domain.request_key import RequestKey
from server.domain.runbook import Runbook
from server.domain.version import Version
from server.operations.administer_secrets import require_secrets
from server.operations.announce import Announcer
from server.operations.change import Change, entry_of
from server.operations.once import values_to_claim
from server.storage import executions, executors, incidents, request_ids


@dataclass(frozen=True, slots=True)
class NewExecution:
    """An execution that is wanted: what of, with which values, by whose word.

    `parameters` are as they were given, not checked yet; `confirm` is whether somebody confirmed it, where the version
    asks for that. `triggered_by` is a user, or None where nobody asked for it but the platform itself.
    """

    id: UUID
    runbook: Runbook
    version: Version
    trigger: ExecutionTrigger
    triggered_by: UUID | None
    created_at: datetime
    parameters: Mapping[str, object] = field(default_factory=dict, repr=False)
    incident_id: UUID | None = None
    workflow_run_id: UUID | None = None
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """An execution, and the first event of its log where it is new."""

    execution: Execution
    first: Event | None = None


async def accept_execution(tx: Change, cipher: Cipher, announcer: Announcer, new: NewExecution) -> Started:
    """Stores an execution, PENDING, in the transaction of the caller, and rings for it after the commit.

    FailedPrecondition where the version cannot run now: it is not approved or archived, not confirmed, lacks a secret,
    or forbids a second execution (ALREADY_RUNNING); InvalidArgument for a wrong parameter; NotFound for an incident
    that is not the team's.
    """
    runbook, version = new.runbook, new.version
    require_runnable(runbook, version, confirm=new.confirm)
    await require_secrets(tx.session, runbook.team_id, version)
    parameters = check_values(version.content.parameters, new.parameters)
    await _require_incident(tx.session, runbook, new.incident_id)
    await _respect_concurrency(tx.session, runbook, version)
    nobody = await executors.nobody_carries(tx.session, version.content.executor_tags)
    row = _row(new, parameters, cipher)
    warnings = warnings_of(runbook, version, nobody_carries_tags=nobody)
    first = await create_pending(tx.session, row, warnings=warnings, audited=_audited(tx.call, new))
    # Its first event is not published: nobody can have followed what did not exist.
    tx.after_commit(lambda: announcer.execution_waits(Waiting(new.id, version.content.executor_tags)))
    return Started(executions.new(row), first)


def stands_alone(new: NewExecution) -> bool:
    """Whether its runbook and its version alone say whether it may run, so that nothing else must be read or locked."""
    content = new.version.content
    others = content.secret_names or content.executor_tags or new.incident_id or new.workflow_run_id
    return content.concurrency is ConcurrencyPolicy.ALLOW and not others


async def accept_alone(
    statements: Driver, call: Call, cipher: Cipher, new: NewExecution, key: RequestKey
) -> Started | None:
    """Stores an execution that `stands_alone` as `accept_execution` does, by one statement that is all its transaction.

    With it goes the claim of the request id; None where somebody has that, and then nothing was stored. Whoever calls
    this rings for the execution.
    """
    require_runnable(new.runbook, new.version, confirm=new.confirm)
    row = _row(new, check_values(new.version.content.parameters, new.parameters), cipher)
    by, along = _CREATE, {}
    if key.request_id:
        by, along = _CREATE_ONCE, values_to_claim(call, key, to_make={"execution_id": str(new.id)})
    warnings, audited = warnings_of(new.runbook, new.version), _audited(call, new)
    try:
        first = await create_pending(statements, row, warnings=warnings, audited=audited, by=by, along=along)
    except UniqueViolationError as error:
        if not request_ids.is_taken(error):
            raise
        return None
    return Started(executions.new(row), first)


_CREATE, _CREATE_ONCE = creation(), creation(request_ids.claimed())


async def _require_incident(session: AsyncSession, runbook: Runbook, incident_id: UUID | None) -> None:
    """Refuses an incident that is not the team's own; none is always right."""
    if incident_id is not None:
        incident = await incidents.find(session, incident_id)
        if incident is None or incident.team_id != runbook.team_id:
            raise not_found("incident")


async def _respect_concurrency(session: AsyncSession, runbook: Runbook, version: Version) -> None:
    """Joins the line where the version queues, and refuses a second execution where it forbids one.

    The policy is that of the version about to run; executions of all versions of the runbook count.
    """
    if version.content.concurrency is ConcurrencyPolicy.ALLOW:
        return
    await lock_line(session, runbook.id)
    if version.content.concurrency is ConcurrencyPolicy.FORBID:
        running = await executions.find_unended(session, runbook.id)
        if running is not None:
            raise FailedPrecondition(
                f"execution {running} of this runbook has not ended, and the version forbids a second",
                reason="ALREADY_RUNNING",
                metadata={"execution_id": str(running)},
            )


def _audited(call: Call | None, new: NewExecution) -> AuditEntry:
    return entry_of(
        call,
        "execution.created",
        new.id,
        team_id=new.runbook.team_id,
        runbook_id=str(new.runbook.id),
        version=new.version.number,
        digest=new.version.digest,
    )


def _row(new: NewExecution, parameters: CheckedParameters, cipher: Cipher) -> dict[str, object]:
    sealed = None
    if parameters.sensitive:
        sealed = cipher.seal(json.dumps(parameters.sensitive).encode(), context=str(new.id))
    content = new.version.content
    return {
        "id": new.id,
        "runbook_id": new.runbook.id,
        "version": new.version.number,
        "team_id": new.runbook.team_id,
        "digest": new.version.digest,
        "trigger": new.trigger,
        "triggered_by": new.triggered_by,
        "incident_id": new.incident_id,
        "workflow_run_id": new.workflow_run_id,
        "parameters": dict(parameters.visible),
        "sealed_parameters": sealed,
        "max_attempts": 1 + content.max_retries,
        "concurrency": content.concurrency,
        "required_tags": list(content.executor_tags),
        "created_at": new.created_at,
    }
