"""The statements of `kernel.lifecycle` and `kernel.event_log` do what the model of them says, which is searched.

Random walks make the same moves on a real row and on the model's (`tests/unit/kernel/protocol/rows.py`), stale epochs
and numbers that are taken among them; after each move both must look the same. Time is moved by writing the row.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, null, select, update

from kernel import event_log, lifecycle
from kernel.attempt_output import AttemptOutput
from kernel.database import transaction
from kernel.execution.event import Event, Output, OutputStream, StateChanged
from kernel.execution.output import OutputDigest
from kernel.execution.status import ExecutionStatus
from kernel.tables import execution_attempts, executions
from tests.integration.conftest import Platform
from tests.unit.kernel.protocol.rows import LOST, OUTCOMES, Row, Rules

WALKS, MOVES = 6, 25
LEASE = timedelta(hours=1)
NOTHING = AttemptOutput(OutputDigest().seal(), OutputDigest().seal())


@dataclass
class Walk:
    """One execution, its model, and a way through both; `ends` are those of its attempts, in order."""

    platform: Platform
    execution: UUID
    row: Row
    dice: random.Random
    ends: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    async def move(self) -> None:
        moves = [self.claim, self.append, self.append, self.renew, self.finish, self.expire, self.pass_time, self.ring]
        if self.dice.random() < 0.1:
            moves = [self.cancel]
        move = self.dice.choice(moves)
        self.done.append(move.__name__)
        await move()

    async def claim(self) -> None:
        async with transaction(self.platform.sessions) as tx:
            claim = await lifecycle.claim(tx.session, self.execution, "executor", lease=LEASE)
        after = Rules().claim(self.row)
        assert (claim and (claim.epoch, claim.attempt)) == (after and (after.epoch, after.attempt))
        self.row = after or self.row

    async def renew(self) -> None:
        epoch = self._epoch()
        async with transaction(self.platform.sessions) as tx:
            renewed = await lifecycle.renew(tx.session, {self.execution: epoch}, lease=LEASE)
        after = Rules().renew(self.row, epoch)
        assert renewed == ({self.execution: after.cancel_requested} if after else {})
        self.row = after or self.row

    async def append(self) -> None:
        epoch, sequence = self._epoch(), len(self.row.log) + self.dice.choice([0, 1, 1, 1])
        async with transaction(self.platform.sessions) as tx:
            now = await tx.session.scalar(select(func.now()))
            assert now is not None
            event = Event(sequence, now, Output(OutputStream.STDOUT, epoch, 0, b"x"))
            held = await event_log.append_fenced(tx.session, self.execution, epoch, [event])
        appended = Rules().append(self.row, epoch, sequence)
        assert held == (appended is not None)
        self.row = appended.row if appended else self.row

    async def finish(self) -> None:
        epoch, outcome = self._epoch(), self.dice.choice(list(OUTCOMES.values()))
        async with transaction(self.platform.sessions) as tx:
            moved = await lifecycle.finish(
                tx.session, self.execution, epoch, outcome, NOTHING, isolation=(), jitter=0.0
            )
        await self._ended(moved, Rules().finish(self.row, epoch, outcome), outcome.status)

    async def expire(self) -> None:
        async with transaction(self.platform.sessions) as tx:
            moved = await lifecycle.expire(tx.session, jitter=0.0)
        await self._ended(moved, Rules().expire(self.row), LOST.status)

    async def cancel(self) -> None:
        async with transaction(self.platform.sessions) as tx:
            asked = await lifecycle.request_cancel(tx.session, self.execution)
        self.row = Rules().cancel(self.row) or self.row
        assert asked.status == self.row.status

    async def pass_time(self) -> None:
        """The lease runs out."""
        if self.row.lease:
            await self._write(lease_expires_at=func.now() - timedelta(seconds=1))
            self.row = self.row._replace(lease=0)

    async def ring(self) -> None:
        await self._write(rung_at=null())
        async with transaction(self.platform.sessions) as tx:
            due = await lifecycle.to_ring_again(tx.session)
        assert [waiting.execution_id for waiting in due] == [self.execution] * Rules().needs_ring([self.row], 0)

    async def leave(self) -> None:
        """Ends it, for the sweep of the next walk shall find nothing of it."""
        await self._write(status=ExecutionStatus.CANCELLED, lease_expires_at=None)

    async def compare(self) -> None:
        stored = await self.platform.row(self.execution)
        log = [
            e.payload.state["status"] if isinstance(e.payload, StateChanged) else f"output {e.payload.attempt}"
            for e in stored.events
        ]
        assert (stored.status, stored.attempt, stored.epoch) == (self.row.status, self.row.attempt, self.row.epoch)
        assert (stored.cancel_requested_at is not None) == self.row.cancel_requested
        assert (stored.lease_expires_at is not None) == (self.row.status is ExecutionStatus.RUNNING)
        assert log == list(self.row.log)
        assert [e.sequence for e in stored.events] == list(range(1, len(log) + 1))
        async with self.platform.sessions() as session:
            query = select(execution_attempts).where(execution_attempts.c.execution_id == self.execution)
            attempts = (await session.execute(query.order_by(execution_attempts.c.attempt))).all()
        ends = [*self.ends, *["RUNNING"] * (self.row.status is ExecutionStatus.RUNNING)]
        assert [(a.attempt, a.epoch, a.status) for a in attempts] == [(n, n, end) for n, end in enumerate(ends, 1)]

    async def _ended(self, moved: lifecycle.Moved | None, after: Row | None, end: ExecutionStatus) -> None:
        assert (moved and moved.status) == (after and after.status)
        if after is not None:
            self.row = after
            self.ends.append(end)
            await self._write(run_after=func.now())  # the pause before another attempt is over

    async def _write(self, **values: object) -> None:
        async with transaction(self.platform.sessions) as tx:
            await tx.session.execute(update(executions).where(executions.c.id == self.execution).values(**values))

    def _epoch(self) -> int:
        """Answers that of the last claim, mostly; or an older one, or one that nobody has yet."""
        return max(1, self.row.epoch + self.dice.choice([0, 0, 0, 0, -1, 1]))


@pytest.mark.parametrize("seed", range(4))
async def test_the_real_statements_do_what_the_model_says(platform: Platform, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - to come again, not to be secret
    ended = 0
    for _ in range(WALKS):
        attempts = dice.choice([1, 2, 3])
        execution = await platform.an_execution("exit 0", max_retries=attempts - 1)
        walk = Walk(platform, execution, Row(attempts), dice)
        for _ in range(MOVES):
            try:
                await walk.move()
                await walk.compare()
            except AssertionError as error:
                error.add_note(f"seed {seed}, after {', '.join(walk.done)}")
                raise
        ended += walk.row.status.ended
        await walk.leave()
    assert ended > 0
