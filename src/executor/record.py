"""What an attempt writes: its log and its end, each under the fence, each repeated while the database is away.

Durable before live: PostgreSQL first, then Redis. A write that the fence refuses raises `LeaseLost`, and from then on
nothing of this attempt may be written.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from executor.relay import Timed
from kernel import lifecycle
from kernel.attempt_output import AttemptOutput
from kernel.database import Sessions, is_disconnect, single_statements
from kernel.event_log import append_fenced
from kernel.execution.event import Event, StateChanged
from kernel.execution.status import AttemptOutcome
from kernel.lifecycle import Claim, Moved
from kernel.log_stream import publish_events
from kernel.queue import Doorbell
from kernel.run_bell import ring_run
from kernel.team_stream import Thing, publish_change
from kernel.turns import Waiting, next_in_line

log = structlog.get_logger()

PUBLISH_SECONDS = 1.0
ANNOUNCE_SECONDS = 0.02
"""How long a script that says nothing keeps back that it runs. To tell it takes four processes' time, which is better
spent on the script's beginning, and is there while its first output is being stored."""
FINISH_SECONDS = 60.0
"""How long past its lease an end is still tried: as long as nobody took the attempt away, it is ours."""
RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0)
STORES_AT_ONCE = 8
"""Of one executor's batches: each is copied some times on its way to PostgreSQL and Redis, and more at one time make
nothing faster."""

T = TypeVar("T")


class LeaseLost(Exception):
    """Somebody else decides about this execution now."""


class Publisher:
    """Tells of what was committed; where Redis is away, watchers and the sweep find it in PostgreSQL."""

    def __init__(self, redis: Redis, doorbell: Doorbell) -> None:
        self._redis = redis
        self._doorbell = doorbell
        self._away_until = 0.0

    async def ring(self, waiting: Waiting) -> None:
        """Rings for an execution; a ring that is lost is repeated by the sweep."""
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._doorbell.ring(*waiting)
        except Exception as error:  # noqa: BLE001 - taskiq wraps whatever the client raises
            log.warning("ring_failed", error=type(error).__name__)

    async def ring_run(self, run_id: UUID) -> None:
        """Rings for the workflow run whose execution has ended; a ring that is lost is repeated by the sweep."""
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await ring_run(self._redis, run_id)
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("ring_failed", error=type(error).__name__)

    async def publish(self, execution_id: UUID, events: Sequence[Event], *, team_id: UUID | None = None) -> None:
        """Tells whoever follows the log; with `team_id`, whoever follows the team, too, in the same round trip."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._away_until:
            return
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                if team_id is None:
                    await publish_events(self._redis, execution_id, events)
                    return
                async with self._redis.pipeline(transaction=False) as telling:
                    await publish_events(telling, execution_id, events)
                    await publish_change(telling, team_id, Thing.EXECUTION, execution_id)
                    await telling.execute()
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until = loop.time() + PUBLISH_SECONDS
            log.warning("publish_failed", error=type(error).__name__)


class Recorder:
    """Writes for one claim; `patience` says how many more seconds the lease is good for.

    `storing` is shared by all of an executor's recorders, `STORES_AT_ONCE` wide: whose turn it is to store a batch.
    """

    def __init__(
        self,
        sessions: Sessions,
        publisher: Publisher,
        claim: Claim,
        *,
        storing: asyncio.Semaphore,
        patience: Callable[[], float],
    ) -> None:
        self._sessions = sessions
        self._publisher = publisher
        self._claim = claim
        self._storing = storing
        self._patience = patience
        self._next_sequence = claim.event.sequence + 1
        self._has_output = asyncio.Event()
        self._announcing: asyncio.Task[None] | None = None

    def announce(self) -> None:
        """Has it told that the attempt runs, as soon as there is output to store, or after `ANNOUNCE_SECONDS`.

        The script need not wait for it, but what is told later does.
        """
        self._announcing = asyncio.create_task(self._announce())

    async def announced(self) -> None:
        """Waits until `announce` has told, or could not; cancelling this does not cancel that."""
        self._has_output.set()
        if self._announcing is not None:
            await asyncio.shield(self._announcing)

    async def _announce(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(ANNOUNCE_SECONDS):
                await self._has_output.wait()
        await self._tell([self._claim.event])

    async def store(self, batch: list[Timed]) -> None:
        """Numbers a batch, stores it and publishes it."""
        events = [
            Event(sequence, time, payload) for sequence, (time, payload) in enumerate(batch, start=self._next_sequence)
        ]

        async def append() -> bool:
            async with single_statements(self._sessions) as session:
                return await append_fenced(session, self._claim.execution_id, self._claim.epoch, events)

        self._has_output.set()
        async with self._storing:
            if not await self.patiently(append):
                raise LeaseLost
            self._next_sequence += len(events)
            await self._publish(events)

    async def finish(
        self, outcome: AttemptOutcome, output: AttemptOutput, isolation: Sequence[Mapping[str, Any]]
    ) -> Moved:
        """Ends the attempt."""

        async def end() -> Moved | None:
            async with single_statements(self._sessions) as driver, driver.transaction():
                return await lifecycle.finish(
                    driver,
                    self._claim.execution_id,
                    self._claim.epoch,
                    outcome,
                    output,
                    isolation=isolation,
                    jitter=random.random(),  # noqa: S311 - spreads retries, keeps no secret
                )

        moved = await self.patiently(end, beyond_lease=FINISH_SECONDS)
        if moved is None:
            raise LeaseLost
        await self._publish([moved.event])
        if moved.status.ended:
            if moved.workflow_run_id is not None:
                await self._publisher.ring_run(moved.workflow_run_id)
            await self._ring_next()
        return moved

    async def _publish(self, events: Sequence[Event]) -> None:
        await self.announced()
        await self._tell(events)

    async def _tell(self, events: Sequence[Event]) -> None:
        """Tells whoever follows the log and, of a change of the execution's state, whoever follows its team."""
        moved = any(isinstance(event.payload, StateChanged) for event in events)
        team_id = self._claim.team_id if moved else None
        await self._publisher.publish(self._claim.execution_id, events, team_id=team_id)

    async def _ring_next(self) -> None:
        """Rings for the execution that waited for this one; where that cannot be done, the sweep does it."""
        try:
            async with single_statements(self._sessions) as session:
                waiting = await next_in_line(session, self._claim.execution_id)
        except Exception as error:
            if not is_disconnect(error):
                raise
            log.warning("database_away", error=type(error).__name__)
            return
        if waiting is not None:
            await self._publisher.ring(waiting)

    async def patiently(self, work: Callable[[], Awaitable[T]], *, beyond_lease: float = 0.0) -> T:
        """Repeats `work` while the database cannot be reached and the lease is good; LeaseLost after that."""
        tries = 0
        while True:
            try:
                return await work()
            except Exception as error:
                if not is_disconnect(error):
                    raise
                if self._patience() + beyond_lease <= 0:
                    raise LeaseLost from error
                log.warning("database_away", error=type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
            tries += 1
