"""Every attempt leaves a record of its own, written with its claim and its end, and none follows a cancellation."""

from __future__ import annotations

import hashlib
import itertools
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import RowMapping, delete, func, select, update

from kernel import event_log, lifecycle
from kernel.database import transaction
from kernel.execution.status import AttemptOutcome, ErrorCode, ExecutionStatus
from kernel.tables import execution_attempts, executions
from tests.integration.conftest import Platform
from tests.integration.test_claims import MINUTE, NOTHING_WRITTEN, claimed, output
from tests.integration.test_ends import sweeping


async def attempts_of(platform: Platform, execution: UUID) -> list[RowMapping]:
    table = execution_attempts
    async with platform.sessions() as session:
        query = select(table).where(table.c.execution_id == execution).order_by(table.c.attempt)
        return list((await session.execute(query)).mappings())


def told(row: RowMapping, *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


@pytest.mark.usefixtures("executor")
async def test_each_attempt_shows_its_own_exit_code_sizes_and_hashes(platform: Platform) -> None:
    script = """
        for n in $(seq $ONCALL_ATTEMPT); do echo out $n; echo err >&2; done
        [ $ONCALL_ATTEMPT = 3 ] || exit $((10 + ONCALL_ATTEMPT))
    """
    execution = await platform.an_execution(script, max_retries=3)
    await platform.doorbell.ring(execution)
    async with sweeping(platform):
        done = await platform.end_of(execution)

    attempts = await attempts_of(platform, execution)
    assert (done.status, done.attempt) == ("COMPLETED", 3)
    for number, (row, status, code) in enumerate(
        zip(attempts, ("FAILED", "FAILED", "COMPLETED"), (11, 12, 0), strict=True), start=1
    ):
        out, err = b"".join(b"out %d\n" % n for n in range(1, number + 1)), b"err\n" * number
        assert told(row, "attempt", "epoch", "status", "exit_code") == (number, number, status, code)
        assert told(row, "stdout_size", "stderr_size") == (len(out), len(err))
        assert row["stdout_sha256"] == hashlib.sha256(out).hexdigest()
        assert row["stderr_sha256"] == hashlib.sha256(err).hexdigest()
        assert told(row, "output_truncated", "error_code", "executor_id") == (False, None, done.executor_id)
    assert attempts[0]["started_at"] == done.started_at
    assert attempts[2]["ended_at"] == done.completed_at
    waits = [(b["started_at"] - a["ended_at"]).total_seconds() for a, b in itertools.pairwise(attempts)]
    assert waits[0] >= 0.5
    assert waits[1] >= 1.5


async def test_an_attempt_is_recorded_from_its_claim_on(platform: Platform) -> None:
    claim = await claimed(platform)
    (row,) = await attempts_of(platform, claim.execution_id)
    assert told(row, "attempt", "epoch", "executor_id", "status") == (1, 1, "first", "RUNNING")
    assert told(row, "ended_at", "exit_code", "stdout_sha256") == (None, None, None)


async def test_a_claim_that_takes_nothing_records_nothing(platform: Platform) -> None:
    claim = await claimed(platform)
    async with transaction(platform.sessions) as tx:
        assert await lifecycle.claim(tx.session, claim.execution_id, "second", lease=MINUTE) is None
    assert len(await attempts_of(platform, claim.execution_id)) == 1


async def test_a_lost_executor_is_the_error_of_that_attempt_alone(platform: Platform) -> None:
    claim = await claimed(platform, lease=timedelta(0), max_retries=1)
    async with transaction(platform.sessions) as tx:
        await event_log.append_fenced(tx.session, claim.execution_id, claim.epoch, [output(claim, 3, b"kept")])
    async with transaction(platform.sessions) as tx:
        moved = await lifecycle.expire(tx.session, jitter=0)
        await tx.session.execute(update(executions).values(run_after=func.now()))
    async with transaction(platform.sessions) as tx:
        again = await lifecycle.claim(tx.session, claim.execution_id, "second", lease=MINUTE)

    assert moved is not None
    assert again is not None
    first, second = await attempts_of(platform, claim.execution_id)
    assert told(first, "status", "error_code", "exit_code") == ("FAILED", "EXECUTOR_LOST", None)
    assert "executor first stopped renewing its lease" in first["error_message"]
    assert told(first, "stdout_size", "stdout_sha256") == (4, hashlib.sha256(b"kept").hexdigest())
    assert told(second, "attempt", "executor_id", "status", "error_code") == (2, "second", "RUNNING", None)


async def test_an_end_that_the_fence_refuses_changes_no_record(platform: Platform) -> None:
    claim = await claimed(platform)
    async with transaction(platform.sessions) as tx:
        done = AttemptOutcome(ExecutionStatus.COMPLETED, 0)
        refused = await lifecycle.finish(
            tx.session, claim.execution_id, claim.epoch + 1, done, NOTHING_WRITTEN, isolation=(), jitter=0
        )
    assert refused is None
    assert (await attempts_of(platform, claim.execution_id))[0]["status"] == "RUNNING"


@pytest.mark.parametrize("lost", [False, True])
async def test_after_a_request_to_cancel_no_attempt_follows(platform: Platform, lost: bool) -> None:
    """Whether its executor ends it or is lost with it."""
    claim = await claimed(platform, lease=timedelta(0) if lost else MINUTE, max_retries=3)
    async with transaction(platform.sessions) as tx:
        await lifecycle.request_cancel(tx.session, claim.execution_id)
    async with transaction(platform.sessions) as tx:
        if lost:
            await lifecycle.expire(tx.session, jitter=0)
        else:
            outcome = AttemptOutcome(ExecutionStatus.CANCELLED, None, ErrorCode.CANCELLED, "cancelled on request")
            await lifecycle.finish(
                tx.session, claim.execution_id, claim.epoch, outcome, NOTHING_WRITTEN, isolation=(), jitter=0
            )
    async with transaction(platform.sessions) as tx:
        assert await lifecycle.to_ring_again(tx.session) == []
        assert await lifecycle.claim(tx.session, claim.execution_id, "next", lease=MINUTE) is None

    (row,) = await attempts_of(platform, claim.execution_id)
    assert await platform.status(claim.execution_id) == ExecutionStatus.CANCELLED
    assert told(row, "status", "error_code") == (("FAILED", "EXECUTOR_LOST") if lost else ("CANCELLED", "CANCELLED"))


async def test_records_go_with_their_execution(platform: Platform) -> None:
    claim = await claimed(platform)
    async with transaction(platform.sessions) as tx:
        await tx.session.execute(delete(executions).where(executions.c.id == claim.execution_id))
    assert await attempts_of(platform, claim.execution_id) == []
