"""Executes a runbook for somebody who calls: the row and the first event are committed before anybody is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from kernel.cipher import Cipher
from kernel.database import single_statements
from kernel.errors import OncallError
from kernel.execution.status import ExecutionTrigger
from kernel.statement import Driver
from kernel.team_stream import Thing
from kernel.turns import Waiting
from server.domain.permission import Call, not_found
from server.domain.request_key import RequestKey
from server.domain.violation import Violations
from server.operations.accept_execution import NewExecution, Started, accept_alone, accept_execution, stands_alone
from server.operations.announce import Announcer
from server.operations.authenticate import ReadRunbook
from server.operations.change import change
from server.operations.environment import Environment
from server.operations.once import first_result
from server.operations.read_executions import load_execution
from server.operations.read_runbooks import check_version, shown_to_execute
from server.storage.versions import find_to_execute


@dataclass(frozen=True, slots=True)
class ExecutionOrder:
    """What somebody wants executed, as sent."""

    runbook_id: str
    version: int
    parameters: Mapping[str, object] = field(repr=False)
    incident_id: str = ""
    confirm: bool = False


async def execute_runbook(
    env: Environment,
    call: Call,
    cipher: Cipher,
    announcer: Announcer,
    order: ExecutionOrder,
    key: RequestKey,
    *,
    read: ReadRunbook | None = None,
) -> Started:
    """Answers the new execution, PENDING; or the one that the first call with this request id started.

    `read` is the runbook of the order, where it was read together with the caller.

    Each round trip to the database stands between the call and the first byte of output: most executions are stored by
    one statement, and only what depends on more than its version, or may have been made before, takes a transaction.
    """
    violations = Violations()
    runbook_id = violations.uuid("runbook_id", order.runbook_id)
    incident_id = violations.optional_uuid("incident_id", order.incident_id)
    check_version(violations, order.version, least=0)
    key.check(violations)
    violations.raise_if_any()
    execution_id = env.new_id()
    async with single_statements(env.sessions) as statements:
        read = read or ReadRunbook(await find_to_execute(statements, runbook_id, order.version))
        runbook, version = shown_to_execute(call, read.found)
        new = None
        if version is not None:
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
        alone = await _alone(statements, call, cipher, new, key) if new and stands_alone(new) else None
    if alone is not None:
        await announcer.execution_waits(Waiting(execution_id))
        announcer.team_changes(alone.execution.team_id, Thing.EXECUTION, execution_id)
        return alone
    async with change(env.sessions, call) as tx:
        if first := await first_result(tx.session, call, key, to_make={"execution_id": str(execution_id)}):
            return Started(await load_execution(tx.session, call, UUID(first["execution_id"])))
        if new is None:
            raise not_found("version")
        return await accept_execution(tx, cipher, announcer, new)


async def _alone(statements: Driver, call: Call, cipher: Cipher, new: NewExecution, key: RequestKey) -> Started | None:
    """As `accept_alone`; None also where what is refused may be a repeat, which is not judged again."""
    try:
        return await accept_alone(statements, call, cipher, new, key)
    except OncallError:
        if not key.request_id:
            raise
        return None
