"""A claim takes the execution, notes the attempt and appends to the log in one statement, beside whatever others do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from asyncpg import UniqueViolationError
from sqlalchemy import func, select, text, update

from kernel import event_log, lifecycle
from kernel.attempt_output import AttemptOutput
from kernel.database import single_statements, transaction
from kernel.execution.event import Event, Output, OutputStream, StateChanged
from kernel.execution.output import OutputDigest
from kernel.execution.status import FAILED, AttemptOutcome
from kernel.lifecycle import Claim
from kernel.tables import execution_attempts, executions
from tests.integration.conftest import Platform
from tests.waiting import eventually

MINUTE = timedelta(minutes=1)
WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
NOTHING_WRITTEN = AttemptOutput(OutputDigest().seal(), OutputDigest().seal())


async def claim(platform: Platform, execution: UUID, executor: str = "claimant") -> Claim | None:
    """Claims as an executor does: in a statement that is a transaction of its own."""
    async with single_statements(platform.sessions) as statements:
        return await lifecycle.claim(statements, execution, executor, lease=MINUTE)


async def claim_surely(platform: Platform, execution: UUID) -> Claim:
    claimed = await claim(platform, execution)
    assert claimed is not None
    return claimed


async def end_to_be_repeated(platform: Platform, held: Claim) -> None:
    async with transaction(platform.sessions) as tx:
        moved = await lifecycle.finish(
            tx.session,
            held.execution_id,
            held.epoch,
            AttemptOutcome(FAILED, 1),
            NOTHING_WRITTEN,
            isolation=(),
            jitter=0,
        )
    assert moved is not None
    async with transaction(platform.sessions) as tx:
        due = update(executions).where(executions.c.id == held.execution_id).values(run_after=func.now())
        await tx.session.execute(due)


async def sequences(platform: Platform, execution: UUID) -> list[int]:
    return [event.sequence for event in await platform.events(execution)]


@asynccontextmanager
async def a_waiting_claim(platform: Platform, execution: UUID) -> AsyncIterator[asyncio.Task[Claim | None]]:
    """Yields a claim that is known to wait for a lock, which the caller holds."""

    async def waits() -> bool:
        async with platform.sessions() as session:
            return bool(await session.scalar(WAITING))

    claiming = asyncio.create_task(claim(platform, execution))
    try:
        await eventually(waits)
        yield claiming
    finally:
        claiming.cancel()
        await asyncio.gather(claiming, return_exceptions=True)


async def test_what_a_claim_answers_is_what_it_stored(platform: Platform) -> None:
    execution = await platform.an_execution("exit 0")

    held = await claim_surely(platform, execution)

    row = await platform.row(execution)
    assert (row.status, row.epoch, row.attempt, row.executor_id) == ("RUNNING", 1, 1, "claimant")
    assert row.events[-1] == held.event
    assert isinstance(held.event.payload, StateChanged)
    told = held.event.payload.state
    assert (told["status"], told["attempt"], told["executor_id"]) == ("RUNNING", 1, "claimant")
    async with platform.sessions() as session:
        attempt = (await session.execute(select(execution_attempts))).one()
    assert (attempt.execution_id, attempt.attempt, attempt.epoch) == (execution, 1, held.epoch)
    assert (attempt.executor_id, attempt.status) == ("claimant", "RUNNING")


async def test_a_later_claim_goes_on_where_the_log_of_the_attempt_before_ended(platform: Platform) -> None:
    execution = await platform.an_execution("exit 1", max_retries=1)
    first = await claim_surely(platform, execution)
    said = [
        Event(first.event.sequence + number, first.event.time, Output(OutputStream.STDOUT, 1, number - 1, b"x"))
        for number in (1, 2, 3)
    ]
    async with single_statements(platform.sessions) as statements:
        assert await event_log.append_fenced(statements, execution, first.epoch, said)
    await end_to_be_repeated(platform, first)

    second = await claim_surely(platform, execution)

    assert (second.event.sequence, second.attempt, second.epoch) == (7, 2, 2)
    assert await sequences(platform, execution) == [1, 2, 3, 4, 5, 6, 7]


async def test_a_claim_that_comes_while_an_execution_is_being_cancelled_takes_nothing(platform: Platform) -> None:
    execution = await platform.an_execution("exit 0")
    async with transaction(platform.sessions) as cancelling:
        await lifecycle.request_cancel(cancelling.session, execution)
        async with a_waiting_claim(platform, execution) as claiming:
            await cancelling.session.commit()
            assert await claiming is None

    row = await platform.row(execution)
    assert (row.status, row.epoch) == ("CANCELLED", 0)
    assert [event.sequence for event in row.events] == [1, 2]
    async with platform.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(execution_attempts)) == 0


async def test_a_claim_that_comes_while_a_cancellation_is_taken_back_has_the_next_number(platform: Platform) -> None:
    execution = await platform.an_execution("exit 0")
    async with transaction(platform.sessions) as cancelling:
        await lifecycle.request_cancel(cancelling.session, execution)
        async with a_waiting_claim(platform, execution) as claiming:
            await cancelling.session.rollback()
            held = await claiming

    assert held is not None
    assert held.event.sequence == 2
    assert await sequences(platform, execution) == [1, 2]


async def test_a_claim_never_gives_a_number_that_the_log_has_got_meanwhile(platform: Platform) -> None:
    """Nobody appends to what stays PENDING; where somebody did while a claim waits, it fails and changes nothing."""
    execution = await platform.an_execution("exit 0")
    async with transaction(platform.sessions) as other:
        await other.session.execute(select(executions.c.id).where(executions.c.id == execution).with_for_update())
        await other.session.execute(update(executions).where(executions.c.id == execution).values(rung_at=func.now()))
        await event_log.append_state(other.session, execution, {"status": "PENDING", "attempt": 0})
        async with a_waiting_claim(platform, execution) as claiming:
            await other.session.commit()
            with pytest.raises(UniqueViolationError):
                await claiming

    row = await platform.row(execution)
    assert (row.status, row.epoch, row.attempt) == ("PENDING", 0, 0)
    assert (await claim_surely(platform, execution)).event.sequence == 3
    assert await sequences(platform, execution) == [1, 2, 3]


async def test_a_claim_beside_the_end_of_the_attempt_before_takes_nothing_and_waits_for_nobody(
    platform: Platform,
) -> None:
    execution = await platform.an_execution("exit 1", max_retries=1)
    first = await claim_surely(platform, execution)
    async with transaction(platform.sessions) as ending:
        outcome = AttemptOutcome(FAILED, 1)
        await lifecycle.finish(ending.session, execution, first.epoch, outcome, NOTHING_WRITTEN, isolation=(), jitter=0)
        assert await claim(platform, execution, "too early") is None

    assert await sequences(platform, execution) == [1, 2, 3]


async def test_of_many_claims_at_one_time_one_gets_the_next_number(platform: Platform) -> None:
    execution = await platform.an_execution("exit 0")

    claims = await asyncio.gather(*(claim(platform, execution, f"executor-{number}") for number in range(8)))

    (held,) = [each for each in claims if each is not None]
    assert held.event.sequence == 2
    assert await sequences(platform, execution) == [1, 2]
