"""Tells the other processes what has been committed. All of it may be lost: sweeps and polls find it again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from uuid import UUID

import structlog
from redis.asyncio import Redis

from kernel.database import Sessions, single_statements
from kernel.execution.event import Event
from kernel.log_stream import publish_cancel, publish_events
from kernel.queue import Doorbell
from kernel.run_bell import ring_incident_event, ring_run
from kernel.team_stream import Thing, publish_change
from kernel.turns import Waiting, next_in_line

log = structlog.get_logger()

LONGEST_WAIT_SECONDS = 1.0
"""How long a call may be held up by a Redis that does not answer."""

LATER_SECONDS = 0.05
"""How much later is told what nobody waits for: then it is in nobody's way."""


class Announcer:
    """Speaks to Redis, briefly; that it is away is logged and never an error of the call."""

    def __init__(self, redis: Redis, doorbell: Doorbell) -> None:
        self._redis = redis
        self._doorbell = doorbell
        self._telling: set[asyncio.Task[None]] = set()

    async def execution_waits(self, waiting: Waiting) -> bool:
        """Rings for an executor; False where nobody heard it."""
        return await self._briefly(self._doorbell.ring(*waiting))

    async def execution_moved(self, execution_id: UUID, events: Sequence[Event]) -> bool:
        return await self._briefly(publish_events(self._redis, execution_id, events))

    async def cancel_requested(self, executor_id: str, execution_id: UUID) -> bool:
        return await self._briefly(publish_cancel(self._redis, executor_id, execution_id))

    async def run_waits(self, run_id: UUID) -> bool:
        """Rings for a workflow run that may go on; False where nobody heard it."""
        return await self._briefly(ring_run(self._redis, run_id))

    async def incident_happened(self) -> bool:
        """Rings for whoever starts workflows by what happened to an incident."""
        return await self._briefly(ring_incident_event(self._redis))

    async def team_changed(self, team_id: UUID, thing: Thing, thing_id: UUID) -> bool:
        """Tells whoever follows a team."""
        return await self._briefly(publish_change(self._redis, team_id, thing, thing_id))

    def team_changes(self, team_id: UUID, thing: Thing, thing_id: UUID) -> None:
        """As `team_changed`, for whoever must not wait for it: it is told a moment later, while they go on."""
        task = asyncio.create_task(self._soon(team_id, thing, thing_id))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def close(self) -> None:
        """Leaves untold what nobody waits for: whoever follows a team looks again from time to time."""
        for task in self._telling:
            task.cancel()
        if self._telling:
            await asyncio.wait(self._telling)

    async def _soon(self, team_id: UUID, thing: Thing, thing_id: UUID) -> None:
        await asyncio.sleep(LATER_SECONDS)
        await self.team_changed(team_id, thing, thing_id)

    async def _briefly(self, action: Awaitable[None]) -> bool:
        try:
            async with asyncio.timeout(LONGEST_WAIT_SECONDS):
                await action
        except Exception as error:  # noqa: BLE001 - taskiq wraps whatever the client raises; none of it is the caller's
            log.warning("announcement_lost", error=type(error).__name__)
            return False
        return True


async def ring_next(make_session: Sessions, announcer: Announcer, ended_id: UUID) -> None:
    """Rings for the execution that waited for one whose end has been committed, if there is one."""
    async with single_statements(make_session) as session:
        waiting = await next_in_line(session, ended_id)
    if waiting is not None:
        await announcer.execution_waits(waiting)
