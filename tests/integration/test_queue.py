"""Executions that queue run one at a time and in order, on any number of executors, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import itertools
import random
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, insert, select, update

from executor.settings import ExecutorSettings
from kernel import lifecycle, turns
from kernel.attempt_output import AttemptOutput
from kernel.audit import AuditEntry
from kernel.database import transaction
from kernel.execution.content import ConcurrencyPolicy
from kernel.execution.output import OutputDigest
from kernel.execution.status import AttemptOutcome, ErrorCode, ExecutionStatus
from kernel.ids import new_id
from kernel.lifecycle import Claim
from kernel.tables import executions
from tests.executors import an_executor
from tests.integration.conftest import Platform

ALLOW, QUEUE = ConcurrencyPolicy.ALLOW, ConcurrencyPolicy.QUEUE
MINUTE = timedelta(minutes=1)


class Line:
    """The executions of one runbook."""

    def __init__(self, platform: Platform, first: UUID) -> None:
        self._platform, self.first = platform, first

    async def join(self, concurrency: ConcurrencyPolicy = QUEUE, *, identifier: UUID | None = None) -> UUID:
        """Adds another execution as the server does; its id may say that it is older than it is."""
        async with transaction(self._platform.sessions) as tx:
            row = (await tx.session.execute(select(executions).where(executions.c.id == self.first))).mappings().one()
            await turns.lock_line(tx.session, row["runbook_id"])
            kept = ("runbook_id", "version", "team_id", "digest", "trigger", "parameters", "max_attempts", "created_at")
            kept += ("required_tags",)
            new = {name: row[name] for name in kept} | {"id": identifier or new_id(), "concurrency": concurrency}
            await lifecycle.create_pending(tx.session, new, audited=AuditEntry("execution.created", str(new["id"])))
        execution_id: UUID = new["id"]
        return execution_id

    async def claim(self, execution_id: UUID) -> Claim | None:
        async with transaction(self._platform.sessions) as tx:
            return await lifecycle.claim(tx.session, execution_id, "somebody", lease=MINUTE)

    async def end(self, claim: Claim, outcome: AttemptOutcome | None = None) -> lifecycle.Moved:
        nothing = AttemptOutput(OutputDigest().seal(), OutputDigest().seal())
        async with transaction(self._platform.sessions) as tx:
            moved = await lifecycle.finish(
                tx.session,
                claim.execution_id,
                claim.epoch,
                outcome or AttemptOutcome(ExecutionStatus.COMPLETED, 0),
                nothing,
                isolation=(),
                jitter=0,
            )
        assert moved is not None
        return moved

    async def next_after(self, ended: UUID) -> UUID | None:
        async with self._platform.sessions() as session:
            waiting = await turns.next_in_line(session, ended)
        return waiting and waiting.execution_id

    async def rung(self) -> list[UUID]:
        """Answers what the sweep rings for, as if nothing had been rung lately."""
        async with transaction(self._platform.sessions) as tx:
            await tx.session.execute(update(executions).values(rung_at=func.now() - MINUTE))
            return [waiting.execution_id for waiting in await lifecycle.to_ring_again(tx.session)]


async def a_line(platform: Platform, concurrency: ConcurrencyPolicy = QUEUE, **content: int) -> Line:
    return Line(platform, await platform.an_execution("true", concurrency=concurrency, **content))


async def test_thirty_queued_executions_never_overlap_on_two_executors_and_run_in_order(
    platform: Platform, executor_settings: ExecutorSettings
) -> None:
    """No sweep runs here: each is started by the end of the one before."""
    line = await a_line(platform)
    ids = [line.first, *[await line.join() for _ in range(29)]]
    for execution in random.Random(1).sample(ids, len(ids)):  # noqa: S311 - repeatable, not secret
        await platform.doorbell.ring(execution)
    async with an_executor(executor_settings), an_executor(executor_settings):
        await platform.end_of(ids[-1], within=60)

    rows = [await platform.row(execution) for execution in ids]
    assert {row.status for row in rows} == {"COMPLETED"}
    assert len({row.executor_id for row in rows}) == 2
    for before, after in itertools.pairwise(rows):
        assert before.completed_at <= after.started_at


async def test_of_many_claims_at_once_only_the_first_in_line_succeeds(platform: Platform) -> None:
    line = await a_line(platform)
    ids = [line.first, *[await line.join() for _ in range(4)]]
    while ids:
        claims = await asyncio.gather(*(line.claim(execution) for execution in [*ids, *ids]))
        (won,) = [claim for claim in claims if claim is not None]
        assert won.execution_id == ids[0]
        assert await asyncio.gather(*(line.claim(execution) for execution in ids)) == [None] * len(ids)
        await line.end(won)
        assert await line.next_after(ids.pop(0)) == (ids[0] if ids else None)


async def test_who_came_first_is_not_what_an_id_says(platform: Platform) -> None:
    """A server whose clock is slow gives smaller ids to those that come later."""
    line = await a_line(platform)
    first = await line.claim(line.first)
    assert first is not None
    late = await line.join(identifier=UUID(int=7))
    assert await line.claim(late) is None
    await line.end(first)
    assert await line.claim(late) is not None


async def test_a_repeated_attempt_keeps_its_place(platform: Platform) -> None:
    line = await a_line(platform, max_retries=1)
    second = await line.join()
    first = await line.claim(line.first)
    assert first is not None
    moved = await line.end(first, AttemptOutcome(ExecutionStatus.FAILED, 1))
    assert moved.status == ExecutionStatus.PENDING
    assert await line.claim(second) is None
    assert await line.next_after(line.first) is None  # the one before is not due yet, and this one not at all


async def test_one_that_waits_can_be_cancelled_and_holds_up_nobody(platform: Platform) -> None:
    line = await a_line(platform)
    second, third = await line.join(), await line.join()
    first = await line.claim(line.first)
    assert first is not None
    async with transaction(platform.sessions) as tx:
        asked = await lifecycle.request_cancel(tx.session, second)
    assert asked.status == ExecutionStatus.CANCELLED
    assert await line.next_after(second) is None
    assert await line.claim(third) is None
    await line.end(first)
    assert await line.next_after(line.first) == third


async def test_the_later_one_decides_whether_it_waits(platform: Platform) -> None:
    line = await a_line(platform, ALLOW)
    allowed = await line.join(ALLOW)
    queued = await line.join()
    later = await line.join(ALLOW)
    first, second, third = [await line.claim(execution) for execution in (line.first, allowed, later)]
    assert first is not None
    assert second is not None
    assert third is not None
    assert await line.claim(queued) is None
    await line.end(first)
    assert await line.claim(queued) is None
    await line.end(second)
    assert await line.next_after(allowed) == queued
    assert await line.claim(queued) is not None


async def test_when_two_end_at_once_one_of_them_finds_the_next(platform: Platform) -> None:
    for _ in range(20):
        line = await a_line(platform, ALLOW)
        other, queued = await line.join(ALLOW), await line.join()

        async def run(line: Line, execution: UUID) -> UUID | None:
            claim = await line.claim(execution)
            assert claim is not None
            await line.end(claim)
            return await line.next_after(execution)

        assert queued in await asyncio.gather(run(line, line.first), run(line, other))


async def test_an_execution_whose_executor_is_lost_gives_way(platform: Platform) -> None:
    line = await a_line(platform)
    second = await line.join()
    assert await line.claim(line.first) is not None
    async with transaction(platform.sessions) as tx:
        await tx.session.execute(
            update(executions).where(executions.c.id == line.first).values(lease_expires_at=func.now() - MINUTE)
        )
        moved = await lifecycle.expire(tx.session, jitter=0)
    assert moved is not None
    assert moved.status == ExecutionStatus.FAILED
    assert (await platform.row(line.first)).error_code == ErrorCode.EXECUTOR_LOST
    assert await line.next_after(line.first) == second


async def test_those_that_wait_take_no_place_in_the_sweep(platform: Platform) -> None:
    line = await a_line(platform)
    assert await line.claim(line.first) is not None
    await many(platform, line.first, 1000)
    other = await a_line(platform)
    assert await line.rung() == [other.first]


async def many(platform: Platform, like: UUID, count: int) -> None:
    """Puts so many more into the line of an execution, in one statement."""
    names = [c.name for c in executions.c if c.name in {"runbook_id", "version", "team_id", "digest", "trigger"}]
    names += ["parameters", "max_attempts", "concurrency", "created_at", "run_after"]
    copied = [executions.c[name] for name in names]
    query = select(func.gen_random_uuid(), func.generate_series(1, count).label("n"), *copied).where(
        executions.c.id == like
    )
    rows = query.subquery()
    columns = [rows.c[0], *[rows.c[name] for name in names], func.concat("PENDING")]
    async with transaction(platform.sessions) as tx:
        await tx.session.execute(insert(executions).from_select(["id", *names, "status"], select(*columns)))


async def test_the_sweep_finds_a_turn_that_nobody_rang_for(platform: Platform) -> None:
    line = await a_line(platform)
    second = await line.join()
    assert await line.rung() == [line.first]
    first = await line.claim(line.first)
    assert first is not None
    assert await line.rung() == []
    await line.end(first)
    assert await line.rung() == [second]
