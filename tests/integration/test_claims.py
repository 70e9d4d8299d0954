"""A script never runs twice by accident, however often it is rung for and whoever hears it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from executor.settings import ExecutorSettings
from kernel import event_log, lifecycle
from kernel.attempt_output import AttemptOutput
from kernel.database import transaction
from kernel.execution.event import Event, Output, OutputStream, StateChanged
from kernel.execution.output import OutputDigest
from kernel.execution.status import AttemptOutcome, ExecutionStatus
from kernel.lifecycle import Claim
from kernel.tables import executions
from tests.executors import an_executor
from tests.integration.conftest import Platform
from tests.waiting import eventually

MINUTE = timedelta(minutes=1)
NOTHING_WRITTEN = AttemptOutput(OutputDigest().seal(), OutputDigest().seal())


async def claimed(platform: Platform, *, lease: timedelta = MINUTE, **content: int) -> Claim:
    execution = await platform.an_execution("exit 0", **content)
    async with transaction(platform.sessions) as tx:
        claim = await lifecycle.claim(tx.session, execution, "first", lease=lease)
    assert claim is not None
    return claim


def output(claim: Claim, sequence: int, data: bytes = b"x") -> Event:
    return Event(sequence, claim.event.time, Output(OutputStream.STDOUT, claim.attempt, 0, data))


@pytest.mark.usefixtures("executor")
async def test_an_execution_that_is_rung_twice_runs_once(platform: Platform) -> None:
    execution = await platform.an_execution("echo ran; sleep 0.3")
    for _ in range(5):
        await platform.doorbell.ring(execution)

    done = await platform.end_of(execution)
    await platform.doorbell.ring(execution)
    after = await platform.run("echo a later one has run, so the last ring was heard")

    assert after.status == ExecutionStatus.COMPLETED
    assert (done.attempt, done.epoch, done.stdout) == (1, 1, b"ran\n")
    assert (await platform.row(execution)).epoch == 1


async def test_two_executors_run_two_hundred_queued_executions_once_each(
    platform: Platform, executor_settings: ExecutorSettings
) -> None:
    queued = [await platform.an_execution("echo $ONCALL_EXECUTION_ID") for _ in range(200)]
    for execution in [*queued, *queued]:
        await platform.doorbell.ring(execution)
    async with an_executor(executor_settings), an_executor(executor_settings):

        async def all_ended() -> bool:
            async with platform.sessions() as session:
                query = select(func.count()).where(executions.c.status == "COMPLETED")
                return await session.scalar(query) == len(queued)

        await eventually(all_ended, within=100)

    executors = set()
    for execution in queued:
        done = await platform.row(execution)
        assert (done.epoch, done.attempt, done.stdout) == (1, 1, f"{execution}\n".encode())
        executors.add(done.executor_id)
    assert len(executors) == 2


async def test_of_fifty_claims_at_once_one_succeeds(platform: Platform) -> None:
    execution = await platform.an_execution("exit 0")

    async def claim(number: int) -> Claim | None:
        async with transaction(platform.sessions) as tx:
            return await lifecycle.claim(tx.session, execution, f"executor-{number}", lease=MINUTE)

    claims = await asyncio.gather(*(claim(number) for number in range(50)))

    assert len([c for c in claims if c is not None]) == 1


async def test_an_append_under_an_old_epoch_touches_nothing(platform: Platform) -> None:
    claim = await claimed(platform)
    async with transaction(platform.sessions) as tx:
        await tx.session.execute(update(executions).values(epoch=claim.epoch + 1))
    async with transaction(platform.sessions) as tx:
        assert not await event_log.append_fenced(tx.session, claim.execution_id, claim.epoch, [output(claim, 3)])
        refused = await lifecycle.finish(
            tx.session,
            claim.execution_id,
            claim.epoch,
            AttemptOutcome(ExecutionStatus.COMPLETED, 0),
            NOTHING_WRITTEN,
            isolation=(),
            jitter=0,
        )
        assert refused is None

    assert len(await platform.events(claim.execution_id)) == 2
    assert await platform.status(claim.execution_id) == ExecutionStatus.RUNNING


async def test_an_append_that_is_repeated_changes_nothing(platform: Platform) -> None:
    claim = await claimed(platform)
    for _ in range(3):
        async with transaction(platform.sessions) as tx:
            assert await event_log.append_fenced(tx.session, claim.execution_id, claim.epoch, [output(claim, 3)])

    assert [e.sequence for e in await platform.events(claim.execution_id)] == [1, 2, 3]


async def test_a_lease_that_ran_out_ends_the_attempt_with_all_that_was_stored(platform: Platform) -> None:
    claim = await claimed(platform, lease=timedelta(0))
    async with transaction(platform.sessions) as tx:
        await event_log.append_fenced(tx.session, claim.execution_id, claim.epoch, [output(claim, 3, b"kept")])
    async with transaction(platform.sessions) as tx:
        moved = await lifecycle.expire(tx.session, jitter=0)
    async with transaction(platform.sessions) as tx:
        assert await lifecycle.expire(tx.session, jitter=0) is None

    done = await platform.row(claim.execution_id)
    assert moved is not None
    assert (done.status, done.error_code, done.stdout_size) == ("FAILED", "EXECUTOR_LOST", 4)
    assert done._row.stdout == "kept"
    assert [e.sequence for e in done.events] == [1, 2, 3, 4]


async def test_a_renewal_tells_what_is_lost_and_what_is_to_be_cancelled(platform: Platform) -> None:
    kept, lost, cancelled = [await claimed(platform) for _ in range(3)]
    async with transaction(platform.sessions) as tx:
        await lifecycle.request_cancel(tx.session, cancelled.execution_id)
        held = {kept.execution_id: 1, lost.execution_id: 7, cancelled.execution_id: 1}
        renewed = await lifecycle.renew(tx.session, held, lease=MINUTE)

    assert renewed == {kept.execution_id: False, cancelled.execution_id: True}


async def test_an_execution_that_nobody_claimed_is_cancelled_at_once(platform: Platform) -> None:
    execution = await platform.an_execution("exit 0")
    for _ in range(2):
        async with transaction(platform.sessions) as tx:
            asked = await lifecycle.request_cancel(tx.session, execution)
        assert asked.status == ExecutionStatus.CANCELLED
    async with transaction(platform.sessions) as tx:
        assert await lifecycle.claim(tx.session, execution, "late", lease=MINUTE) is None

    states = [
        e.payload.state["status"] for e in await platform.events(execution) if isinstance(e.payload, StateChanged)
    ]
    assert states == ["PENDING", "CANCELLED"]


async def test_a_lost_ring_is_rung_again_but_not_at_once(platform: Platform) -> None:
    execution = await platform.an_execution("exit 0")
    async with transaction(platform.sessions) as tx:
        assert await lifecycle.to_ring_again(tx.session) == [(execution, ())]
    async with transaction(platform.sessions) as tx:
        assert await lifecycle.to_ring_again(tx.session) == []
