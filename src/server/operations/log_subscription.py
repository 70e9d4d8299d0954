"""One connection to Redis that hears the live logs of whatever executions are followed in this process.

It speaks SUBSCRIBE itself, over one connection, because the client's own PubSub reconnects inside whichever task
happens to write, and what matters here is to know when a subscription stands and when it has been lost. Redis may be
away at any time: then this reconnects, slower and slower, and whoever follows reads PostgreSQL meanwhile.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

log = structlog.get_logger()

FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 5.0
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 10.0
"""After so long without a word the connection is asked whether it lives; after twice as long it is given up."""


class LogSubscription:
    """Channels that are wanted, kept subscribed. `heard` gets each message, `changed` every gain or loss."""

    def __init__(
        self, redis: Redis, heard: Callable[[str, bytes], None], changed: Callable[[str | None], None]
    ) -> None:
        """`changed` is told the channel that now stands, or None when the connection was lost."""
        self._redis = redis
        self._heard = heard
        self._changed = changed
        self._wanted: set[str] = set()
        self._sent: set[str] = set()
        self._unanswered: dict[str, int] = {}
        self._standing: set[str] = set()
        self._wake = asyncio.Event()
        self.connected = False

    def want(self, channel: str) -> None:
        self._wanted.add(channel)
        self._wake.set()

    def unwant(self, channel: str) -> None:
        self._wanted.discard(channel)
        self._wake.set()

    def stands(self, channel: str) -> bool:
        """Whether all that is published from now on will be heard."""
        return channel in self._standing

    async def run(self) -> None:
        """Connects, and connects again, until cancelled."""
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            try:
                await self._converse()
            except* (RedisError, OSError) as lost:
                log.warning("live_log_lost", error=_first_name(lost), was_connected=self.connected)
            if self.connected:
                backoff = FIRST_BACKOFF_SECONDS
            self._forget()
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311 - spreads reconnects, guards nothing
            backoff = min(2 * backoff, LONGEST_BACKOFF_SECONDS)

    async def _converse(self) -> None:
        """Talks over one connection until it is lost, and closes it."""
        connection = _dedicated(self._redis)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await connection.connect()  # type: ignore[no-untyped-call]  # the client leaves it unannotated
            self.connected = True
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write(connection))
                tasks.create_task(self._read(connection))
        finally:
            await connection.disconnect(nowait=True)

    async def _write(self, connection: AbstractConnection) -> None:
        while True:
            self._wake.clear()
            for channel in self._sent - self._wanted:
                self._standing.discard(channel)
                self._sent.discard(channel)
                await connection.send_command("UNSUBSCRIBE", channel)
            for channel in self._wanted - self._sent:
                self._unanswered[channel] = self._unanswered.get(channel, 0) + 1
                self._sent.add(channel)
                await connection.send_command("SUBSCRIBE", channel)
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                await connection.send_command("PING")

    async def _read(self, connection: AbstractConnection) -> None:
        while True:
            message = await connection.read_response(timeout=2 * SILENCE_SECONDS)
            if message is None:
                raise ConnectionError("Redis has fallen silent")
            match message:
                case [b"message", bytes(channel), bytes(data)]:
                    self._heard(channel.decode(), data)
                case [b"subscribe", bytes(channel), _]:
                    self._answered(channel.decode())

    def _answered(self, channel: str) -> None:
        """Of several answers only the last counts: between them the channel may have been given up."""
        self._unanswered[channel] -= 1
        if self._unanswered[channel] == 0:
            del self._unanswered[channel]
            if channel in self._sent:
                self._standing.add(channel)
                self._changed(channel)

    def _forget(self) -> None:
        self.connected = False
        self._sent.clear()
        self._unanswered.clear()
        self._standing.clear()
        self._changed(None)


def _dedicated(redis: Redis) -> AbstractConnection:
    """Answers a connection outside of the pool: no read timeout of its own, and RESP2, where messages are answers."""
    pool = redis.connection_pool
    settings: dict[str, Any] = {
        **pool.connection_kwargs,
        "socket_timeout": None,
        "health_check_interval": 0,
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "decode_responses": False,
    }
    connection: AbstractConnection = pool.connection_class(**settings)
    return connection


def _first_name(group: BaseExceptionGroup[Exception]) -> str:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return type(first).__name__
