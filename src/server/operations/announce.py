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
from kernel.turns import Waiting, next_in_line

log = structlog.get_logger()

LONGEST_WAIT_SECONDS = 1.0
"""How long a call may be held up by a Redis that does not answer."""


class Announcer:
    """Speaks to Redis, briefly; that it is away is logged and never an error of the call."""

    def __init__(self, redis: Redis, doorbell: Doorbell) -> None:
        self._redis = redis
        self._doorbell = doorbell

    async def execution_waits(self, waiting: Waiting) -> bool:
        """Rings for an executor; False where nobody heard it."""
        return await self._briefly(self._doorbell.ring(*waiting))

    async def execution_moved(self, execution_id: UUID, events: Sequence[Event]) -> bool:
        return await self._briefly(publish_events(self._redis, execution_id, events))

    async def cancel_requested(self, executor_id: str, execution_id: UUID) -> bool:
        return await self._briefly(publish_cancel(self._redis, executor_id, execution_id))

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
