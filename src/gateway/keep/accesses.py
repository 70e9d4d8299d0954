"""Counts what is answered without asking, until the server has taken it into its records."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

import structlog

from gateway.keep.clock import Clock
from oncall.v1.partner_service_pb2 import AnsweredAccesses

FLUSH_SECONDS = 1.0
STOP_SECONDS = 2.0
MOST_CLIENTS = 10_000
BATCH = 1_000
MOST_COUNTED = 10_000_000
LONGEST_USER_AGENT = 500

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
        self._batch: Batch | None = None
        self.lost = 0
        """Answers that were given while the server was away and that no room was left to count."""

    def count(self, key: AccessKey) -> bool:
        """Counts one; False where there is no room."""
        if len(key.user_agent) > LONGEST_USER_AGENT:
            key = key._replace(user_agent=key.user_agent[:LONGEST_USER_AGENT])
        counted, now = self._counted.get(key), self._now()
        if counted is None:
            if len(self._counted) >= self._limit:
                return False
            counted = self._counted[key] = _Counted(now, now)
        if counted.count >= MOST_COUNTED:
            return False
        counted.count += 1
        counted.last_at = max(now, counted.last_at)
        return True

    async def flush(self, send: Callable[[Batch], Awaitable[None]]) -> None:
        """Sends all that is counted until now; what `send` raises leaves the batch for the next time, with its id."""
        while batch := self._batch or self._next():
            self._batch = batch
            try:
                await send(batch)
            except ValueError:
                log.exception("accesses_refused", accesses=len(batch.accesses))
            self._batch = None

    def _next(self) -> Batch | None:
        keys = list(self._counted)[:BATCH]
        entries = [(key, self._counted.pop(key)) for key in keys]
        if not entries:
            return None
        return Batch(str(uuid4()), tuple(_message(key, counted) for key, counted in entries))


async def flush_each_second(accesses: Accesses, send: Callable[[Batch], Awaitable[None]]) -> None:
    """Runs until cancelled; then what is left is sent once more, for `STOP_SECONDS` at most."""
    try:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await _attempt(accesses, send)
    finally:
        async with asyncio.timeout(STOP_SECONDS):
            await _attempt(accesses, send)


async def _attempt(accesses: Accesses, send: Callable[[Batch], Awaitable[None]]) -> None:
    try:
        await accesses.flush(send)
    except Exception as error:  # noqa: BLE001 # counted still, and sent with the same id the next time
        log.warning("accesses_not_sent", error=type(error).__name__)


def _message(key: AccessKey, counted: _Counted) -> AnsweredAccesses:
    message = AnsweredAccesses(**key._asdict(), count=counted.count)
    message.first_at.FromDatetime(counted.first_at)
    message.last_at.FromDatetime(counted.last_at)
    return message
