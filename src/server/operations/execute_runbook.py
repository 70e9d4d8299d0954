"""Executes a runbook for somebody who calls: the row and the first event are committed before anybody is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from kernel.cipher import Cipher
from kernel.execution.status import ExecutionTrigger
from server.domain.permission import Call, not_found
from server.domain.request_key import RequestKey
from server.domain.violation import Violations
from server.operations.accept_execution import NewExecution, Started, accept_execution
from server.operations.announce import Announcer
from server.operations.change import change
from server.operations.environment import Environment
from server.operations.once import first_result
from server.operations.read_executions import load_execution
from server.operations.read_runbooks import check_version, load_to_execute


@dataclass(frozen=True, slots=True)
class ExecutionOrder:
    """What somebody wants executed, as sent."""

    runbook_id: str
    version: int
    parameters: Mapping[str, object] = field(repr=False)
    incident_id: str = ""
    confirm: bool = False


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
        new = NewExecution(
            id=execution_id,
            runbook=runbook,
            version=version,
            trigger=ExecutionTrigger.MANUAL,
            triggered_by=call.caller.user_id,
            created_at=env.now(),
            parameters=order.parameters,
            incident_id=incident_id,
            confirm=order.confirm,
        )
        return await accept_execution(tx, cipher, announcer, new)
