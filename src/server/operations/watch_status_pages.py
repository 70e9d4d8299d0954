"""Tells gateways which pages and partners changed, and waits for those who have to confirm it; see decision 0023.

One connection of this process listens; each gateway's stream has a queue of its own. What cannot be promised any more
is said by ending the streams: when the connection is lost, or when a gateway does not read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.database import transaction
from kernel.errors import NotFound, Unavailable
from server.operations.environment import Environment
from server.operations.tell_page_change import PageChange, read_word
from server.storage import page_changes, page_watches

MOST_UNREAD = 1_000
"""Changes that a gateway may be behind before its stream is ended."""
DRIFT = timedelta(milliseconds=300)
"""How much longer a watch lasts for the database than for its gateway, whose clock may run slower."""
POLL_SECONDS = 0.2
CHECK_SECONDS = 1.0
RECONNECT_SECONDS = 0.5
OPENING_SECONDS = 3.0

log = structlog.get_logger()


@dataclass(eq=False, slots=True)
class _Stream:
    changes: asyncio.Queue[PageChange | None] = field(default_factory=lambda: asyncio.Queue(MOST_UNREAD))
    ended: bool = False

    def tell(self, change: PageChange | None) -> None:
        """Passes on a change; None, or more than can wait, ends the stream."""
        if self.ended:
            return
        if change is None or self.changes.full():
            self.ended = True
            while not self.changes.empty():
                self.changes.get_nowait()
            change = None
        self.changes.put_nowait(change)


class PageWatches:
    """The watches whose streams are in this process, and the confirmations of all."""

    def __init__(self, env: Environment, engine: AsyncEngine, lease: timedelta) -> None:
        self._env = env
        self._engine = engine
        self.lease = lease
        self._streams: set[_Stream] = set()
        self._listening = asyncio.Event()
        self._waiting: dict[UUID, asyncio.Event] = {}
        self._stopping = False

    async def run(self) -> None:
        """Listens until it is cancelled, again and again."""
        while True:
            try:
                await self._listen()
            except Exception as error:  # noqa: BLE001 - PostgreSQL may be away in many ways; the next try finds out
                log.warning("page_watches_lost", error=type(error).__name__)
            finally:
                self._end_streams()
            await asyncio.sleep(RECONNECT_SECONDS)

    def stop(self) -> None:
        """Ends all streams: the server stops."""
        self._stopping = True
        self._end_streams()

    async def watch(self, watch_id: str) -> AsyncIterator[Sequence[PageChange]]:
        """Answers nothing first, and then what changes; Unavailable when it cannot be promised any more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(OPENING_SECONDS):
                await self._listening.wait()
        if not self._listening.is_set() or self._stopping:
            raise _not_watching()
        stream = _Stream()
        self._streams.add(stream)  # before the watch is there: what is committed from then on is told
        try:
            async with transaction(self._env.sessions) as tx:
                owed = await page_watches.open_watch(tx.session, watch_id, self.lease + DRIFT)
            yield []
            if owed:
                yield [read_word(word) for word in owed]
            while (change := await stream.changes.get()) is not None:
                yield [change]
            raise _not_watching()
        finally:
            self._streams.discard(stream)

    async def renew(self, watch_id: str, confirmed: Sequence[UUID]) -> None:
        """Prolongs a watch and notes what it confirms."""
        async with transaction(self._env.sessions) as tx:
            lives = await page_watches.renew(tx.session, watch_id, confirmed, self.lease + DRIFT, self.lease)
        if not lives:
            raise NotFound("there is no such watch any more; open the stream again", reason="WATCH_UNKNOWN")

    async def wait(self, change_id: UUID) -> None:
        """Returns once every gateway goes by a committed change, or may no longer answer from what it keeps."""
        told = self._waiting.setdefault(change_id, asyncio.Event())
        try:
            # One who never confirms may renew for one lease, and then lasts for one more.
            async with asyncio.timeout((2 * (self.lease + DRIFT)).total_seconds() + CHECK_SECONDS):
                while await self._is_owed(change_id):
                    told.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(POLL_SECONDS):
                            await told.wait()
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody knows whether all have confirmed
            log.warning("change_not_confirmed", change_id=str(change_id), error=type(error).__name__)
            raise Unavailable(
                "the change stands, but it could not be confirmed that every gateway goes by it; ask again",
                reason="NOT_CONFIRMED",
            ) from None
        finally:
            self._waiting.pop(change_id, None)

    async def _is_owed(self, change_id: UUID) -> bool:
        async with transaction(self._env.sessions) as tx:
            return await page_watches.owes_anybody(tx.session, change_id)

    async def _listen(self) -> None:
        arguments, options = self._engine.dialect.create_connect_args(self._engine.url)
        connection = await asyncpg.connect(*arguments, **options, timeout=OPENING_SECONDS)
        try:
            connection.add_termination_listener(lambda _: self._end_streams())
            await connection.add_listener(page_changes.CHANNEL, self._changed)
            await connection.add_listener(page_watches.CHANNEL, self._confirmed)
            self._listening.set()
            while not connection.is_closed():
                await connection.execute("SELECT 1", timeout=CHECK_SECONDS)
                await asyncio.sleep(CHECK_SECONDS)
        finally:
            self._listening.clear()
            connection.terminate()

    def _changed(self, _: Any, __: int, ___: str, payload: object) -> None:
        try:
            change = read_word(json.loads(str(payload)))
        except (KeyError, TypeError, ValueError):
            log.error("page_change_unreadable")  # of a newer server perhaps: what it says is not known
            self._end_streams()
            return
        for stream in self._streams:
            stream.tell(change)

    def _confirmed(self, _: Any, __: int, ___: str, payload: object) -> None:
        with suppress(ValueError, KeyError):
            self._waiting[UUID(str(payload))].set()

    def _end_streams(self) -> None:
        self._listening.clear()
        for stream in self._streams:
            stream.tell(None)


def _not_watching() -> Unavailable:
    return Unavailable("changes cannot be told just now; open the stream again", reason="NOT_WATCHING")
