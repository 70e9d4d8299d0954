"""Moves runs of workflows on: hears rings for them, and looks for those whose ring was lost.

Several runs are moved at once, each by one task of this process at a time: a ring that comes meanwhile makes it look
once more. Another process may look at the same run, and then one waits for the other in the database.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError

from kernel.database import transaction
from kernel.run_bell import INCIDENT_EVENTS, RUNS
from server.operations.advance_run import advance_run
from server.operations.ground import Mover
from server.operations.handle_incident_events import handle_incident_events
from server.storage import due_runs

log = structlog.get_logger()

AT_ONCE = 6
"""Runs that are moved at one time: some wait for the database while others think."""
SWEEP_LIMIT = 500
LISTEN_SECONDS = 1
RECONNECT_SECONDS = 1.0
POSTPONED_SECONDS = 30.0
"""How long the sweep leaves a run alone that could not be moved."""
TRIES = 4
"""Of a move that another transaction got into the way of."""
_IN_THE_WAY = {"40P01", "40001"}  # deadlock detected, serialization failure


class RunMoves:
    """The runs that are moved in this process."""

    def __init__(self, mover: Mover, redis: Redis) -> None:
        self._mover = mover
        self._redis = redis
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._moving: dict[UUID, bool] = {}
        """Runs that are being moved, and whether to look again afterwards."""
        self._postponed: dict[UUID, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def hear(self, stop: asyncio.Event) -> None:
        """Hears rings until `stop`, whatever becomes of Redis meanwhile, and lets moves that were begun end."""
        while not stop.is_set():
            try:
                heard = await self._redis.brpop([RUNS, INCIDENT_EVENTS], timeout=LISTEN_SECONDS)
            except (RedisError, OSError) as error:
                log.warning("runs_not_heard", error=type(error).__name__)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RECONNECT_SECONDS)
                continue
            if heard is not None:
                await self._answer(*heard)
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def sweep(self) -> int:
        """Handles what happened to incidents and moves all runs that are due, and waits for it; answers how many."""
        await self._handle()
        now = time.monotonic()
        self._postponed = {run_id: until for run_id, until in self._postponed.items() if until > now}
        async with transaction(self._mover.env.sessions) as tx:
            due = await due_runs.due(tx.session, limit=SWEEP_LIMIT, besides=self._postponed)
        tasks = [await self.move(run_id) for run_id in due]
        if begun := [task for task in tasks if task is not None]:
            await asyncio.wait(begun)
        return len(due)

    async def move(self, run_id: UUID) -> asyncio.Task[None] | None:
        """Moves a run as soon as there is a slot; None where it is being moved, and will be looked at again."""
        if run_id in self._moving:
            self._moving[run_id] = True
            return None
        self._moving[run_id] = False
        return await self._begin(self._move(run_id))

    async def _answer(self, bell: bytes, word: bytes) -> None:
        if bell.decode() == INCIDENT_EVENTS:
            await self._begin(self._handle())
            return
        try:
            run_id = UUID(word.decode())
        except ValueError:
            log.warning("ring_without_run")
            return
        await self.move(run_id)

    async def _begin(self, work: Awaitable[None]) -> asyncio.Task[None]:
        await self._slots.acquire()
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()

    async def _move(self, run_id: UUID) -> None:
        try:
            while True:
                self._moving[run_id] = False
                await _patiently(lambda: advance_run(self._mover, run_id))
                if not self._moving[run_id]:
                    return
        except Exception as error:
            log.exception("run_not_moved", run_id=str(run_id), error=type(error).__name__)
            self._postponed[run_id] = time.monotonic() + POSTPONED_SECONDS
        finally:
            del self._moving[run_id]

    async def _handle(self) -> None:
        try:
            await _patiently(lambda: handle_incident_events(self._mover))
        except Exception as error:  # noqa: BLE001 - as above: the sweep tries again
            log.warning("incident_events_not_handled", error=type(error).__name__)


async def _patiently(work: Callable[[], Awaitable[object]]) -> None:
    """Does it again where it got into the way of another transaction, which was rolled back as if it had never been."""
    for tries in range(TRIES):
        try:
            await work()
        except DBAPIError as error:
            state = getattr(getattr(error.orig, "__cause__", None), "sqlstate", None)
            if state not in _IN_THE_WAY or tries == TRIES - 1:
                raise
        else:
            return
