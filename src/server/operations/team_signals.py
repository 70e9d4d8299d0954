"""Hears which things of the teams that are followed in this process have changed: one connection to Redis for all.

What is heard only says where to look. It may be lost, and then whoever follows is told that something may be missing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

from redis.asyncio import Redis

from kernel.team_stream import Thing, read_change, team_channel
from server.operations.log_subscription import LogSubscription

POLL_SECONDS = 5.0
POLL_SECONDS_WITHOUT_REDIS = 0.5


class Listener:
    """What one who follows a team has not looked at yet."""

    def __init__(self, signals: TeamSignals) -> None:
        self._signals = signals
        self._changed: set[tuple[Thing, UUID]] = set()
        self._missed = False
        self._event = asyncio.Event()
        self._complete_at = time.monotonic()
        """When everything was last to be looked at."""

    def tell(self, change: tuple[Thing, UUID] | None) -> None:
        """Takes note of a change; None: something may have been missed."""
        if change is None:
            self._missed = True
        else:
            self._changed.add(change)
        self._event.set()

    async def next(self) -> tuple[set[tuple[Thing, UUID]], bool]:
        """Waits for changes, and answers them and whether everything has to be looked at; that also now and then."""
        due_at = self._complete_at + self._signals.poll_seconds
        with suppress(TimeoutError):
            async with asyncio.timeout(due_at - time.monotonic()):
                await self._event.wait()
        self._event.clear()
        changed, self._changed = self._changed, set()
        # Not only where nothing was heard for so long: a team that is never quiet must not miss what was not told.
        missed, self._missed = self._missed or time.monotonic() >= due_at, False
        if missed:
            self._complete_at = time.monotonic()
        return changed, missed


class TeamSignals:
    """The teams that are followed in this process. `run` it for as long as the process serves."""

    def __init__(self, redis: Redis) -> None:
        self._subscription = LogSubscription(redis, self._heard, self._subscription_changed)
        self._listeners: dict[str, set[Listener]] = {}

    async def run(self) -> None:
        """Listens until cancelled."""
        await self._subscription.run()

    @property
    def poll_seconds(self) -> float:
        """How long to go by what is heard alone."""
        return POLL_SECONDS if self._subscription.connected else POLL_SECONDS_WITHOUT_REDIS

    @contextmanager
    def follow(self, team_id: UUID) -> Iterator[Listener]:
        """Follows a team until the end of the block; what changes before the subscription stands counts as missed."""
        channel, listener = team_channel(team_id), Listener(self)
        if channel not in self._listeners:
            self._subscription.want(channel)
        self._listeners.setdefault(channel, set()).add(listener)
        try:
            yield listener
        finally:
            self._listeners[channel].discard(listener)
            if not self._listeners[channel]:
                del self._listeners[channel]
                self._subscription.unwant(channel)

    def _heard(self, channel: str, message: bytes) -> None:
        change = None
        with suppress(ValueError):  # of a newer process perhaps: then everything is looked at
            change = read_change(message)
        for listener in self._listeners.get(channel, ()):
            listener.tell(change)

    def _subscription_changed(self, channel: str | None) -> None:
        for listeners in self._listeners.values() if channel is None else [self._listeners.get(channel, set())]:
            for listener in listeners:
                listener.tell(None)
