"""Counts what is answered, until the server has taken it into its records."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple
from uuid import uuid4

import structlog

from gateway.keep.clock import Clock
from gateway.keep.lru import Lru
from oncall.v1.partner_service_pb2 import AnsweredAccesses

FLUSH_SECONDS = 1.0
GATHER_SECONDS = 0.05
"""How long the first access of a session waits for others, so that many new clients are few batches."""
STOP_SECONDS = 6.0
"""With the three seconds for answers that are being sent, less than the ten that a container is given to stop."""
AGAIN_SECONDS = 0.2
MOST_CLIENTS = 10_000
BATCH = 1_000
MOST_COUNTED = 10_000_000
LONGEST_USER_AGENT = 500
SESSION_ENDS_AFTER = timedelta(minutes=30)
"""As for the server, where a client who comes again begins a new session then."""
KNOWN_CLIENTS = 20_000

log = structlog.get_logger()


class AccessKey(NamedTuple):
    """Whose access; accesses of the same are one entry."""

    partner_id: str
    token_id: str
    token_prefix: str
    client_ip: str
    user_agent: str


@dataclass(slots=True)
class _Counted:
    first_at: datetime
    last_at: datetime
    count: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """What is sent under one request id, unchanged however often: so it counts once."""

    request_id: str
    accesses: tuple[AnsweredAccesses, ...]


class Accesses:
    """Bounded counts: where there is no room for another client, the server has to be asked, and counts by itself."""

    def __init__(self, clock: Clock, limit: int = MOST_CLIENTS) -> None:
        self._now = clock.now
        self._limit = limit
        self._counted: dict[AccessKey, _Counted] = {}
        self._known: Lru[AccessKey, datetime] = Lru(KNOWN_CLIENTS)
        self._batch: Batch | None = None
        self._lost = 0
        self.has_new = asyncio.Event()
        """Set by the first access of a session, which is not to wait for a second."""

    def count(self, key: AccessKey) -> bool:
        """Counts one; False where there is no room."""
        if len(key.user_agent) > LONGEST_USER_AGENT:
            key = key._replace(user_agent=key.user_agent[:LONGEST_USER_AGENT])
        counted, now = self._counted.get(key), self._now()
        if counted is None:
            if not self.has_room():
                return False
            counted = self._counted[key] = _Counted(now, now)
            self._notice(key, now)
        if counted.count >= MOST_COUNTED:
            return False
        counted.count += 1
        counted.last_at = max(now, counted.last_at)
        return True

    def has_room(self) -> bool:
        """Whether a client can be counted who is not among those that wait."""
        return len(self._counted) < self._limit

    def lose(self, accesses: int = 1) -> None:
        """Notes answers that were given and that nobody will count; the log tells of them with the next flush."""
        self._lost += accesses

    async def flush(self, send: Callable[[Batch], Awaitable[None]]) -> None:
        """Sends all that is counted until now; what `send` raises leaves the batch for the next time, with its id.

        What comes meanwhile is for the next flush, or under load a call for every few accesses would follow the other.
        """
        self.has_new.clear()
        self._tell_lost()
        waiting = len(self._counted)
        while batch := self._batch or self._next(waiting):
            waiting -= 0 if self._batch else len(batch.accesses)
            self._batch = batch
            try:
                await send(batch)
            except ValueError:
                log.exception("accesses_refused", accesses=_sum(batch))
            self._batch = None

    def give_up(self) -> None:
        """Says in the log how many are lost of which the server will never hear."""
        self.lose(sum(counted.count for counted in self._counted.values()))
        self.lose(_sum(self._batch) if self._batch else 0)
        self._tell_lost()

    def _notice(self, key: AccessKey, now: datetime) -> None:
        last = self._known.get(key)
        self._known.put(key, now)
        if last is None or now - last > SESSION_ENDS_AFTER:
            self.has_new.set()

    def _next(self, most: int) -> Batch | None:
        keys = list(islice(self._counted, min(most, BATCH)))
        entries = [(key, self._counted.pop(key)) for key in keys]
        if not entries:
            return None
        return Batch(str(uuid4()), tuple(_message(key, counted) for key, counted in entries))

    def _tell_lost(self) -> None:
        if self._lost:
            log.error("accesses_lost", accesses=self._lost)
            self._lost = 0


async def flush_each_second(accesses: Accesses, send: Callable[[Batch], Awaitable[None]]) -> None:
    """Runs until cancelled; then what is left is sent, again and again for `STOP_SECONDS` at most."""
    try:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    await accesses.has_new.wait()
                    await asyncio.sleep(GATHER_SECONDS)
            if not await _attempt(accesses, send):
                await asyncio.sleep(FLUSH_SECONDS)
    finally:
        await _send_the_rest(accesses, send)


async def _send_the_rest(accesses: Accesses, send: Callable[[Batch], Awaitable[None]]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            while True:
                if await _attempt(accesses, send):
                    break
                await asyncio.sleep(AGAIN_SECONDS)
    accesses.give_up()


async def _attempt(accesses: Accesses, send: Callable[[Batch], Awaitable[None]]) -> bool:
    try:
        await accesses.flush(send)
    except Exception as error:  # noqa: BLE001 # counted still, and sent with the same id the next time
        log.warning("accesses_not_sent", error=type(error).__name__)
        return False
    return True


def _sum(batch: Batch) -> int:
    return sum(some.count for some in batch.accesses)


def _message(key: AccessKey, counted: _Counted) -> AnsweredAccesses:
    message = AnsweredAccesses(**key._asdict(), count=counted.count)
    message.first_at.FromDatetime(counted.first_at)
    message.last_at.FromDatetime(counted.last_at)
    return message
