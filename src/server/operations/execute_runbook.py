"""Accepts executions: the row and the first event of its log are committed before anybody is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.cipher import Cipher
from kernel.errors import FailedPrecondition
from kernel.execution.content import ConcurrencyPolicy
from kernel.execution.event import Event
from kernel.execution.status import ExecutionTrigger
from kernel.lifecycle import create_pending
from kernel.turns import Waiting, lock_line
from server.domain.execution import Execution, require_runnable, warnings_of
from server.domain.parameter import CheckedParameters, check_values
from server.domain.permission import Call, not_found
from server.domain.request_key import RequestKey
from server.domain.runbook import Runbook
from server.domain.version import Version
from server.domain.violation import Violations
from server.operations.administer_secrets import require_secrets
from server.operations.announce import Announcer
from server.operations.change import change
from server.operations.environment import Environment
from server.operations.once import first_result
from server.operations.read_executions import load_execution
from server.operations.read_runbooks import check_version, load_to_execute
from server.storage import executions, executors, incidents


@dataclass(frozen=True, slots=True)
class ExecutionOrder:
    """What somebody wants executed, as sent."""

    runbook_id: str
    version: int
    parameters: Mapping[str, object] = field(repr=False)
    incident_id: str = ""
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """An execution, and the first event of its log where it is new."""

    execution: Execution
    first: Event | None = None


async def execute_runbook(
    env: Environment, call: Call, cipher: Cipher, announcer: Announcer, order: ExecutionOrder, key: RequestKey
) -> Started:
    """Answers the new execution, PENDING; or the one that the first call with this request id started.

    Each round trip to the database stands between the call and the first byte of output.
    """
    violations = Violations()
    runbook_id = violations.uuid("runbook_id", order.runbook_id)
    incident_id = violations.optional_uuid("incident_id", order.incident_id)
    check_version(violations, order.version, least=0)
    key.check(violations)
    violations.raise_if_any()
    async with change(env.sessions, call) as tx:
        runbook, version = await load_to_execute(tx.session, call, runbook_id, order.version)
        execution_id = env.new_id()
        to_make = {"execution_id": str(execution_id)}
        if first := await first_result(tx.session, call, key, to_make=to_make):
            return Started(await load_execution(tx.session, call, UUID(first["execution_id"])))
        if version is None:
            raise not_found("version")
        require_runnable(runbook, version, confirm=order.confirm)
        await require_secrets(tx.session, runbook.team_id, version)
        parameters = check_values(version.content.parameters, order.parameters)
        await _require_incident(tx.session, runbook, incident_id)
        await _respect_concurrency(tx.session, runbook, version)
        row = _row(env, call, execution_id, version, runbook, parameters, cipher, incident_id)
        nobody = await executors.nobody_carries(tx.session, version.content.executor_tags)
        audited = tx.audit_entry(
            "execution.created",
            execution_id,
            team_id=runbook.team_id,
            runbook_id=str(runbook.id),
            version=version.number,
            digest=version.digest,
        )
        warnings = warnings_of(runbook, version, nobody_carries_tags=nobody)
        event = await create_pending(tx.session, row, warnings=warnings, audited=audited)
        # Its first event is not published: nobody can have followed what did not exist.
        tx.after_commit(lambda: announcer.execution_waits(Waiting(execution_id, version.content.executor_tags)))
        return Started(executions.new(row), event)


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


def _row(
    env: Environment,
    call: Call,
    execution_id: UUID,
    version: Version,
    runbook: Runbook,
    parameters: CheckedParameters,
    cipher: Cipher,
    incident_id: UUID | None,
) -> dict[str, object]:
    sealed = None
    if parameters.sensitive:
        sealed = cipher.seal(json.dumps(parameters.sensitive).encode(), context=str(execution_id))
    return {
        "id": execution_id,
        "runbook_id": runbook.id,
        "version": version.number,
        "team_id": runbook.team_id,
        "digest": version.digest,
        "trigger": ExecutionTrigger.MANUAL,
        "triggered_by": call.caller.user_id,
        "incident_id": incident_id,
        "workflow_run_id": None,
        "parameters": dict(parameters.visible),
        "sealed_parameters": sealed,
        "max_attempts": 1 + version.content.max_retries,
        "concurrency": version.content.concurrency,
        "required_tags": list(version.content.executor_tags),
        "created_at": env.now(),
    }
