"""Counts what is answered, until the server has taken it into its records."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple, Protocol
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
    is_kept: bool = False

    @property
    def count(self) -> int:
        return sum(some.count for some in self.accesses)


Send = Callable[[Batch], Awaitable[None]]


class Store(Protocol):
    """Keeps from one process to the next what no server has taken."""

    async def keep_unsent(self, batches: Sequence[Batch]) -> bool:
        """Whether they are kept, which they may be already."""
        ...

    async def unsent(self) -> list[Batch]: ...

    async def forget_unsent(self, request_id: str) -> None: ...


class Accesses:
    """Bounded counts: where there is no room for another client, the server has to be asked, and counts by itself."""

    def __init__(self, clock: Clock, limit: int = MOST_CLIENTS) -> None:
        self._now = clock.now
        self._limit = limit
        self._counted: dict[AccessKey, _Counted] = {}
        self._known: Lru[AccessKey, datetime] = Lru(KNOWN_CLIENTS)
        self._batches: deque[Batch] = deque()
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

    def take_over(self, batches: Iterable[Batch]) -> None:
        """Takes over what was kept when the process before this one stopped; it is sent first."""
        self._batches.extend(batches)

    async def flush(self, send: Send, store: Store | None = None) -> None:
        """Sends all that is counted until now; what `send` raises leaves the batch for the next time, with its id.

        What comes meanwhile is for the next flush, or under load a call for every few accesses would follow the other.
        """
        self.has_new.clear()
        self._tell_lost()
        waiting = len(self._counted)
        while self._batches or waiting:
            if not self._batches:
                self._batches.append(self._next(min(waiting, BATCH)))
                waiting -= len(self._batches[0].accesses)
            batch = self._batches[0]
            try:
                await send(batch)
            except ValueError:
                log.exception("accesses_refused", accesses=batch.count)
            self._batches.popleft()
            if store and batch.is_kept:
                await store.forget_unsent(batch.request_id)

    def rest(self) -> list[Batch]:
        """Takes out all that no server has taken."""
        rest, self._batches = list(self._batches), deque()
        while self._counted:
            rest.append(self._next(BATCH))
        return rest

    def give_up(self) -> None:
        """Tells in the log how many a next start will send, and of how many the server will never hear."""
        rest = self.rest()
        self.lose(sum(batch.count for batch in rest if not batch.is_kept))
        self._tell_lost()
        if kept := sum(batch.count for batch in rest if batch.is_kept):
            log.warning("accesses_kept", accesses=kept)

    def _tell_lost(self) -> None:
        if self._lost:
            log.error("accesses_lost", accesses=self._lost)
            self._lost = 0

    def _notice(self, key: AccessKey, now: datetime) -> None:
        last = self._known.get(key)
        self._known.put(key, now)
        if last is None or now - last > SESSION_ENDS_AFTER:
            self.has_new.set()

    def _next(self, most: int) -> Batch:
        entries = [(key, self._counted.pop(key)) for key in list(islice(self._counted, most))]
        return Batch(str(uuid4()), tuple(_message(key, counted) for key, counted in entries))


async def flush_each_second(accesses: Accesses, send: Send, store: Store | None = None) -> None:
    """Runs until cancelled; then what is left is sent, again and again for `STOP_SECONDS` at most.

    With a store, what could not be sent then is what the next process sends first.
    """
    try:
        if store:
            accesses.take_over(await store.unsent())
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    await accesses.has_new.wait()
                    await asyncio.sleep(GATHER_SECONDS)
            if not await _attempt(accesses, send, store):
                await asyncio.sleep(FLUSH_SECONDS)
    finally:
        await _finish(accesses, send, store)


async def _finish(accesses: Accesses, send: Send, store: Store | None) -> None:
    """Keeps what is left before it is sent: whoever stops this process may not wait for the server."""
    if store:
        rest = accesses.rest()
        is_kept = not rest or await store.keep_unsent(rest)
        accesses.take_over(replace(batch, is_kept=is_kept) for batch in rest)
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            while True:
                if await _attempt(accesses, send, store):
                    break
                await asyncio.sleep(AGAIN_SECONDS)
    accesses.give_up()


async def _attempt(accesses: Accesses, send: Send, store: Store | None) -> bool:
    try:
        await accesses.flush(send, store)
    except Exception as error:  # noqa: BLE001 # counted still, and sent with the same id the next time
        log.warning("accesses_not_sent", error=type(error).__name__)
        return False
    return True


def _message(key: AccessKey, counted: _Counted) -> AnsweredAccesses:
    message = AnsweredAccesses(**key._asdict(), count=counted.count)
    message.first_at.FromDatetime(counted.first_at)
    message.last_at.FromDatetime(counted.last_at)
    return message
