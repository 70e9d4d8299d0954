"""Streams the log of an execution to any number of watchers, live or long ended, always the same events.

PostgreSQL has every event before Redis tells of it, so Redis only says *when* to look. All watchers of one execution in
this process share one subscription, one ring of recent events and one poll; a watcher that has fallen behind the ring
reads pages, which it shares with whoever is at the same place (`log_pages`), and so neither slows the others nor makes
anybody keep more. What Redis loses, doubles or reorders is found by sequence and read from PostgreSQL.

A log may expire and be removed, from its first event on, while somebody reads it. So an event that is not the next one,
and none where there must be one, end the stream with LOG_EXPIRED: what was shown is true, and nobody takes it for all.

The subscription stands before the database is first asked, so that nothing falls in between; and no session is held
while an event is on its way to a watcher.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator, Coroutine, Sequence
from uuid import UUID

import structlog
from redis.asyncio import Redis

from kernel.database import Sessions, single_statements
from kernel.errors import OncallError, Unavailable
from kernel.execution.event import Event, decode_events
from kernel.log_stream import log_channel
from server.domain.execution import Execution, log_expired
from server.domain.permission import not_found
from server.operations.followed_log import RING_BYTES, FollowedLog, is_terminal
from server.operations.log_pages import LogPages
from server.operations.log_subscription import LogSubscription
from server.storage import executions
from server.storage.executions import LogEnd

log = structlog.get_logger()

POLL_SECONDS = 1.0
POLL_SECONDS_WITHOUT_REDIS = 0.25
SUBSCRIBE_SECONDS = 0.25
"""How long a watcher waits for its subscription to stand; after that, the poll will find what is missed."""
RINGS_BYTES = 16 * 1024 * 1024
"""About what all rings hold together, each at most `RING_BYTES` and at least `SMALLEST_RING_BYTES`."""
SMALLEST_RING_BYTES = 128 * 1024


class ExecutionLogs:
    """The logs that are followed in this process. `run` it for as long as the process serves."""

    def __init__(self, sessions: Sessions, redis: Redis) -> None:
        self._sessions = sessions
        self._followed: dict[UUID, FollowedLog] = {}
        self._by_channel: dict[str, FollowedLog] = {}
        self._subscription = LogSubscription(redis, self._heard, self._subscription_changed)
        self._poll_now = asyncio.Event()
        self._pages = LogPages(sessions)
        self._stopping = False

    @property
    def followed(self) -> int:
        """How many executions are being followed."""
        return len(self._followed)

    async def run(self) -> None:
        """Listens and polls until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._subscription.run())
            tasks.create_task(self._poll())

    def stop(self) -> None:
        """Ends every stream, now and from now on."""
        self._stopping = True
        for followed in self._followed.values():
            followed.wake()

    async def follow(
        self, execution: Execution, after: int, *, first: Event | None = None
    ) -> AsyncGenerator[Event, None]:
        """Yields what follows sequence `after`, up to the terminal snapshot; Unavailable when the server stops.

        FailedPrecondition, LOG_EXPIRED, where the log has expired or does so before all of it was shown. `first` is the
        first event of an execution that has just been made: it is shown without asking for it.
        """
        if execution.log_expired_at is not None:
            raise log_expired(execution.id)
        if execution.status.ended:
            async for event in self._replay(execution.id, after):
                yield event
            return
        followed = self._enter(execution.id)
        try:
            if first is not None:
                followed.begin_with(first)
            await self._begin(execution.id, followed)
            while followed.end is None or after < followed.end:
                for event in await self._next(execution.id, followed, after):
                    self._refuse_if_stopping()
                    yield event
                    after = event.sequence
        finally:
            self._leave(execution.id, followed)

    async def _replay(self, execution_id: UUID, after: int) -> AsyncGenerator[Event, None]:
        while page := await self._pages.after(execution_id, after):
            await self._refuse_a_hole(execution_id, after, page)
            for event in page:
                self._refuse_if_stopping()
                yield event
                if is_terminal(event):
                    return
                after = event.sequence
        # Either there is nothing after what was asked for, or no longer. What is removed was marked before.
        if (lost := await self._lost(execution_id)) is not None:
            raise lost

    def _enter(self, execution_id: UUID) -> FollowedLog:
        followed = self._followed.get(execution_id)
        if followed is None:
            followed = self._followed[execution_id] = FollowedLog(self._room)
            channel = log_channel(execution_id)
            self._by_channel[channel] = followed
            self._subscription.want(channel)
        followed.watchers += 1
        return followed

    def _room(self) -> int:
        return max(SMALLEST_RING_BYTES, min(RING_BYTES, RINGS_BYTES // max(1, len(self._followed))))

    def _leave(self, execution_id: UUID, followed: FollowedLog) -> None:
        followed.watchers -= 1
        if followed.watchers == 0:
            channel = log_channel(execution_id)
            del self._followed[execution_id], self._by_channel[channel]
            self._subscription.unwant(channel)

    async def _begin(self, execution_id: UUID, followed: FollowedLog) -> None:
        """Waits until the subscription stands, then asks how far the log goes. The order is what makes it whole.

        One asks for all. Where it is known from the beginning, nobody asks: what is told before the subscription stands
        shows as a hole, or is found by the poll.
        """
        if followed.tail is not None:
            return
        await self._wait_for_subscription(execution_id, followed)
        async with followed.beginning:
            if followed.tail is None:
                stored = (await self._log_ends([execution_id])).get(execution_id)
                if stored is None or stored.expired:
                    followed.expired = True
                elif not followed.start_at(stored.last, ended=stored.ended):
                    self._poll_now.set()

    async def _wait_for_subscription(self, execution_id: UUID, followed: FollowedLog) -> None:
        try:
            async with asyncio.timeout(SUBSCRIBE_SECONDS):
                while self._subscription.connected and not self._subscription.stands(log_channel(execution_id)):
                    await followed.changed.wait()
        except TimeoutError:
            log.warning("live_log_slow", execution_id=str(execution_id))

    async def _next(self, execution_id: UUID, followed: FollowedLog, after: int) -> list[Event]:
        """Answers the next events for a watcher that has seen `after`; waits where there are none yet."""
        while True:
            self._refuse_if_stopping()
            changed = followed.changed
            if events := followed.after(after):
                return events
            if followed.tail is not None and after < followed.tail:
                page = await self._pages.after(execution_id, after)
                await self._refuse_a_hole(execution_id, after, page)
                return page
            if followed.expired:
                raise await self._lost(execution_id) or log_expired(execution_id)
            if followed.end is not None and after >= followed.end:
                return []
            await changed.wait()

    async def _refuse_a_hole(self, execution_id: UUID, after: int, page: Sequence[Event]) -> None:
        """Refuses a page that does not begin with the event after `after`, where that is known to have been stored."""
        if not page or page[0].sequence != after + 1:
            raise await self._lost(execution_id) or log_expired(execution_id)

    async def _lost(self, execution_id: UUID) -> OncallError | None:
        """Answers why a log cannot be read to its end: it has expired, or its execution is gone; None if neither."""
        stored = (await self._log_ends([execution_id])).get(execution_id)
        if stored is None:
            return not_found("execution")
        return log_expired(execution_id) if stored.expired else None

    async def _log_ends(self, execution_ids: list[UUID]) -> dict[UUID, LogEnd]:
        async with single_statements(self._sessions) as session:
            return await executions.log_ends(session, execution_ids)

    def _refuse_if_stopping(self) -> None:
        if self._stopping:
            raise Unavailable("the server is stopping; watch again", reason="SERVER_STOPPING")

    def _heard(self, channel: str, frame: bytes) -> None:
        followed = self._by_channel.get(channel)
        if followed is None:
            return
        try:
            whole = followed.admit(decode_events(frame))
        except (ValueError, TypeError, LookupError, struct.error):  # not a frame of ours
            whole = False
        if not whole:
            self._poll_now.set()

    def _subscription_changed(self, channel: str | None) -> None:
        """Wakes whoever waits for a subscription, and has a look at the database after a loss."""
        if channel is None:
            self._poll_now.set()
        for followed in self._followed.values() if channel is None else filter(None, [self._by_channel.get(channel)]):
            followed.wake()

    async def _poll(self) -> None:
        while True:
            seconds = POLL_SECONDS if self._subscription.connected else POLL_SECONDS_WITHOUT_REDIS
            await _wait(self._poll_now.wait(), seconds)
            self._poll_now.clear()
            try:
                await self._catch_up()
            except Exception as error:  # noqa: BLE001 - whatever keeps PostgreSQL away, the next round asks again
                log.warning("log_poll_failed", error=type(error).__name__)

    async def _catch_up(self) -> None:
        """Reads, once for all watchers, what was stored and not heard."""
        known = {id_: f for id_, f in self._followed.items() if f.tail is not None and f.end is None}
        if not known:
            return
        ends = await self._log_ends(list(known))
        for execution_id, followed in known.items():
            stored = ends.get(execution_id)
            if stored is None or stored.expired:
                followed.expired = True
                followed.wake()
                continue
            while followed.watchers and followed.tail is not None and followed.tail < stored.last:
                page = await self._pages.after(execution_id, followed.tail)
                if not page or not followed.admit(page):
                    break


async def _wait(event: Coroutine[object, object, object], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event
    except TimeoutError:
        return
