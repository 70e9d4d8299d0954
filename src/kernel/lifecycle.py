"""The protocol that moves an execution: create, claim, renew, finish, expire, cancel. PostgreSQL decides, and only it.

* A *claim* is a compare-and-set from PENDING to RUNNING that raises the epoch. Of any number of executors that heard
  any number of rings, one gets it.
* Every later write of that executor names its epoch and touches no row once the epoch has moved on (the *fence*).
* The *lease* says until when the executor is believed to live; it renews all of its leases in one statement, and the
  answer tells which are lost and which somebody asked to cancel. The sweep in `jobs` ends attempts whose lease ran out.

A small model of it is searched over all interleavings by tests/unit/kernel/protocol: change both together.

Lease times are the database's clock alone, so executors need no agreement on the time. Every function runs inside the
caller's transaction and returns the events that it appended, to be published after the commit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, and_, func, insert, select, true, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel import attempt_record
from kernel.attempt_output import AttemptOutput, seal_stored
from kernel.audit import AuditEntry, appended, note_end
from kernel.event_log import append_state, begin_log, state_appended
from kernel.execution.content import VersionContent
from kernel.execution.event import Event, StateChanged
from kernel.execution.status import (
    CANCELLED,
    FAILED,
    PENDING,
    RUNNING,
    AttemptOutcome,
    ErrorCode,
    ExecutionStatus,
    after_attempt,
    retry_delay,
)
from kernel.execution_row import NEVER_CLAIMED, NO_END, lock_running, snapshot_of, update_locked
from kernel.executor_registry import somebody_carries
from kernel.tables import executions, runbook_versions
from kernel.turns import Waiting, it_is_its_turn

RING_AGAIN_AFTER = timedelta(seconds=10)


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


@dataclass(frozen=True, slots=True)
class Moved:
    """An execution that changed its state: where it went, and the event to publish."""

    execution_id: UUID
    status: ExecutionStatus
    event: Event


async def create_pending(
    session: AsyncSession,
    execution: Mapping[str, Any],
    *,
    warnings: Sequence[str] = (),
    audited: AuditEntry | None = None,
) -> Event:
    """Stores a new execution, the first event of its log and what is audited of it, in one statement.

    `execution` has the columns that never change; all others begin as `NEVER_CLAIMED`.

    It counts as rung, for whoever creates it rings after the commit; a lost ring is repeated by the sweep. Where its
    concurrency is QUEUE or FORBID, the caller holds `kernel.turns.lock_line`.
    """
    created = insert(executions).values(**execution, status=PENDING, rung_at=func.now()).cte("created")
    along = [created] if audited is None else [created, appended(audited)]
    return await begin_log(session, execution["id"], NEVER_CLAIMED, warnings=warnings, along=along)


async def claim(
    session: AsyncSession, execution_id: UUID, executor_id: str, *, lease: timedelta, tags: Collection[str] = ()
) -> Claim | None:
    """Takes a PENDING execution for `executor_id`, which carries `tags`; None where there is nothing to take.

    That is no error. All of it is one statement, which may be a transaction of its own: it stands between the ring and
    the first byte of output.
    """
    took = (
        update(executions)
        .where(
            executions.c.id == execution_id,
            executions.c.status == PENDING,
            executions.c.cancel_requested_at.is_(None),
            executions.c.run_after <= func.now(),
            executions.c.required_tags.contained_by(list(tags)),
            it_is_its_turn(),
        )
        .values(
            status=RUNNING,
            epoch=executions.c.epoch + 1,
            attempt=executions.c.attempt + 1,
            executor_id=executor_id,
            lease_expires_at=func.now() + lease,
            started_at=func.coalesce(executions.c.started_at, func.now()),
            **NO_END,
        )
        .returning(executions)
        .cte("took")
    )
    told = state_appended(took)
    query = (
        select(took, runbook_versions.c.script, runbook_versions.c.settings, told.c.sequence, told.c.time, told.c.state)
        .add_cte(attempt_record.begun(took))
        .where(
            told.c.execution_id == took.c.id,
            runbook_versions.c.runbook_id == took.c.runbook_id,
            runbook_versions.c.version == took.c.version,
        )
    )
    row = (await session.execute(query)).mappings().one_or_none()
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


async def finish(
    session: AsyncSession,
    execution_id: UUID,
    epoch: int,
    outcome: AttemptOutcome,
    output: AttemptOutput,
    *,
    isolation: Sequence[Mapping[str, Any]],
    jitter: float,
) -> Moved | None:
    """Ends the attempt that holds `epoch`: a final state, or PENDING again where another attempt is due.

    None where the epoch is no longer held, and then nothing was written. `jitter` is uniform in 0 to 1.
    """
    row = await lock_running(session, and_(executions.c.id == execution_id, executions.c.epoch == epoch))
    if row is None:
        return None
    return await _end_attempt(session, row, outcome, output, isolation=isolation, jitter=jitter)


async def expire(session: AsyncSession, *, jitter: float) -> Moved | None:
    """Ends one attempt whose lease has run out, as lost with its executor; None where there is none."""
    row = await lock_running(session, executions.c.lease_expires_at < func.now(), skip_locked=True)
    if row is None:
        return None
    output = await seal_stored(session, row["id"], row["attempt"])
    outcome = AttemptOutcome(
        FAILED,
        error_code=ErrorCode.EXECUTOR_LOST,
        error_message=f"executor {row['executor_id']} stopped renewing its lease during attempt {row['attempt']}",
    )
    return await _end_attempt(session, row, outcome, output, isolation=row["isolation"], jitter=jitter)


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """What a request to cancel did: the state it found or made, the event if any, and whom to tell."""

    status: ExecutionStatus
    event: Event | None = None
    executor_id: str | None = None


async def request_cancel(session: AsyncSession, execution_id: UUID) -> CancelRequested:
    """Cancels a PENDING execution at once and marks a RUNNING one; an ended one is left as it is."""
    row = (
        (await session.execute(select(executions).where(executions.c.id == execution_id).with_for_update()))
        .mappings()
        .one()
    )
    status = ExecutionStatus(row["status"])
    if status is PENDING:
        moved = await update_locked(
            session,
            execution_id,
            status=CANCELLED,
            cancel_requested_at=func.now(),
            completed_at=func.now(),
            sealed_parameters=None,
        )
        await note_end(session, moved)
        return CancelRequested(CANCELLED, await append_state(session, execution_id, snapshot_of(moved)))
    if status is RUNNING:
        if row["cancel_requested_at"] is None:
            await update_locked(session, execution_id, cancel_requested_at=func.now())
        return CancelRequested(RUNNING, executor_id=row["executor_id"])
    return CancelRequested(status)


async def to_ring_again(session: AsyncSession, *, limit: int = 200) -> list[Waiting]:
    """Answers PENDING executions that are due and were not rung lately, oldest first, and marks them as rung.

    One whose tags nobody carries is not rung for: nobody would take the ring out of its list.
    """
    due = (
        select(executions.c.id)
        .where(
            executions.c.status == PENDING,
            executions.c.run_after <= func.now(),
            func.coalesce(executions.c.rung_at < func.now() - RING_AGAIN_AFTER, true()),
            it_is_its_turn(),  # or those that wait for others would take up the limit, and nobody else be rung for
            somebody_carries(executions.c.required_tags),
        )
        .order_by(executions.c.run_after)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rung = await session.execute(
        update(executions)
        .where(executions.c.id.in_(due.scalar_subquery()))
        .values(rung_at=func.now())
        .returning(executions.c.id, executions.c.required_tags)
    )
    return sorted(Waiting(row.id, tuple(row.required_tags)) for row in rung)


async def _end_attempt(
    session: AsyncSession,
    row: RowMapping,
    outcome: AttemptOutcome,
    output: AttemptOutput,
    *,
    isolation: Sequence[Mapping[str, Any]],
    jitter: float,
) -> Moved:
    status = after_attempt(
        outcome,
        attempt=row["attempt"],
        max_attempts=row["max_attempts"],
        cancel_requested=row["cancel_requested_at"] is not None,
    )
    changes: dict[str, Any] = {
        "status": status,
        "lease_expires_at": None,
        "exit_code": outcome.exit_code,
        "error_code": outcome.error_code,
        "error_message": outcome.error_message,
        "isolation": [dict(layer) for layer in isolation],
        "output_truncated": output.truncated,
        "stdout_size": output.stdout.size,
        "stderr_size": output.stderr.size,
        "stdout_sha256": output.stdout.sha256,
        "stderr_sha256": output.stderr.sha256,
        "stdout": output.stdout.text,
        "stderr": output.stderr.text,
        "masked_count": output.masked_count,
    }
    if status is PENDING:
        changes |= {
            "run_after": func.now() + timedelta(seconds=retry_delay(row["attempt"], jitter)),
            "rung_at": None,
        }
    else:
        changes |= {"completed_at": func.now(), "sealed_parameters": None}
    record = attempt_record.ended(row["id"], row["attempt"], outcome, output)
    moved = await update_locked(session, row["id"], along=record, **changes)
    if status.ended:
        await note_end(session, moved)
    return Moved(row["id"], status, await append_state(session, row["id"], snapshot_of(moved)))
