"""How an executor comes to hold an execution, and goes on holding it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Interval, Select, bindparam, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel import attempt_record
from kernel.event_log import state_appended
from kernel.execution.content import VersionContent
from kernel.execution.event import Event, StateChanged
from kernel.execution.status import PENDING, RUNNING
from kernel.execution_row import NO_END, STATE_COLUMNS
from kernel.statement import Statement, Statements
from kernel.tables import executions, runbook_versions
from kernel.turns import it_is_its_turn


@dataclass(frozen=True, slots=True)
class Claim:
    """An execution that this executor now holds under `epoch`, and all it needs to run the attempt."""

    execution_id: UUID
    epoch: int
    attempt: int
    max_attempts: int
    team_id: UUID
    digest: str
    content: VersionContent
    parameters: Mapping[str, Any] = field(repr=False)
    sealed_parameters: bytes | None = field(repr=False)
    event: Event


_HANDED_OVER = ("epoch", "max_attempts", "team_id", "digest", "parameters", "sealed_parameters")
"""The columns of `executions` that a claim carries."""


def _take() -> Select[Any]:
    took = (
        update(executions)
        .where(
            executions.c.id == bindparam("wanted"),
            executions.c.status == PENDING,
            executions.c.cancel_requested_at.is_(None),
            executions.c.run_after <= func.now(),
            executions.c.required_tags.contained_by(bindparam("carried", type_=executions.c.required_tags.type)),
            it_is_its_turn(),
        )
        .values(
            status=RUNNING,
            epoch=executions.c.epoch + 1,
            attempt=executions.c.attempt + 1,
            executor_id=bindparam("claimant"),
            lease_expires_at=func.now() + bindparam("lease", type_=Interval),
            started_at=func.coalesce(executions.c.started_at, func.now()),
            **NO_END,
            output=None,
            output_error="",
        )
        .returning(*(executions.c[name] for name in ("id", "runbook_id", "version", *_HANDED_OVER, *STATE_COLUMNS)))
        .cte("took")
    )
    told = state_appended(took)
    handed_over = [took.c[name] for name in (*_HANDED_OVER, "attempt")]
    version = (runbook_versions.c.script, runbook_versions.c.settings)
    return (
        select(*handed_over, *version, told.c.sequence, told.c.time, told.c.state)
        .add_cte(attempt_record.begun(took))
        .where(
            told.c.execution_id == took.c.id,
            runbook_versions.c.runbook_id == took.c.runbook_id,
            runbook_versions.c.version == took.c.version,
        )
    )


_TAKE = Statement(_take())
"""Made once: to compose it takes longer than PostgreSQL does to answer it."""


async def claim(
    session: Statements,
    execution_id: UUID,
    executor_id: str,
    *,
    lease: timedelta,
    tags: Collection[str] = (),
) -> Claim | None:
    """Takes a PENDING execution for `executor_id`, which carries `tags`; None where there is nothing to take.

    That is no error. All of it is one statement, which may be a transaction of its own: it stands between the ring and
    the first byte of output.
    """
    values = {"wanted": execution_id, "claimant": executor_id, "lease": lease, "carried": list(tags)}
    row = await _TAKE.one_or_none(session, values)
    if row is None:
        return None
    return Claim(
        execution_id=execution_id,
        epoch=row["epoch"],
        attempt=row["attempt"],
        max_attempts=row["max_attempts"],
        team_id=row["team_id"],
        digest=row["digest"],
        content=VersionContent.from_json(row["script"], row["settings"]),
        parameters=row["parameters"],
        sealed_parameters=row["sealed_parameters"],
        event=Event(row["sequence"], row["time"], StateChanged(row["state"])),
    )


async def renew(session: AsyncSession, held: Mapping[UUID, int], *, lease: timedelta) -> dict[UUID, bool]:
    """Renews the leases of all that an executor holds (execution → epoch), in one statement.

    Answers, for those it still holds, whether somebody asked to cancel them. One that is missing is lost: its sandbox
    must be killed, and nothing more can be written for it.
    """
    if not held:
        return {}
    renewed = await session.execute(
        update(executions)
        .where(
            tuple_(executions.c.id, executions.c.epoch).in_(list(held.items())),
            executions.c.status == RUNNING,
        )
        .values(lease_expires_at=func.now() + lease)
        .returning(executions.c.id, executions.c.cancel_requested_at.is_not(None).label("cancelled"))
    )
    return {row.id: row.cancelled for row in renewed}
