"""Learns of changes by one stream, and prolongs the watch that lets the keep answer.

A change counts before it is confirmed: first floors and tombstones are raised, in memory and on the disk, then the
renewal says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from uuid import uuid4

import structlog

from gateway.keep.calls import PartnerCalls, ServerAway, WatchUnknown
from gateway.keep.clock import Clock
from gateway.keep.lease import Lease
from oncall.v1.partner_service_pb2 import StatusPageChange

FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 2.0
RETRY_SECONDS = 0.2
RENEWAL_SECONDS = 1.0
OPENING_SECONDS = 5.0
FIRST_RENEWAL_SECONDS = 5.0
MOST_CONFIRMED = 1_000

log = structlog.get_logger()


class Watch:
    """The stream and its renewals; `apply` returns once a change counts, `opened` is told of each new stream."""

    def __init__(
        self,
        calls: PartnerCalls,
        lease: Lease,
        clock: Clock,
        *,
        opened: Callable[[], None],
        apply: Callable[[StatusPageChange], Awaitable[None]],
    ) -> None:
        self._calls = calls
        self._lease = lease
        self._elapsed = clock.elapsed
        self._opened = opened
        self._apply = apply

    async def run(self) -> None:
        """Watches until cancelled; opens a new stream, under a new name, whenever one ends."""
        backoff = FIRST_BACKOFF
        while True:
            epoch = self._lease.epoch
            try:
                await _Stream(self._calls, self._lease, self._elapsed, self._opened, self._apply).follow()
            except ServerAway as away:
                log.warning("watch_lost", error=str(away))
            except Exception:  # whatever went wrong: nothing kept is believed, and a new stream begins
                log.exception("watch_failed")
            finally:
                self._lease.lost()
            backoff = FIRST_BACKOFF if self._lease.epoch > epoch else min(backoff * 2, LONGEST_BACKOFF)
            await asyncio.sleep(backoff)


class _Stream:
    """One stream under a name of its own."""

    def __init__(
        self,
        calls: PartnerCalls,
        lease: Lease,
        elapsed: Callable[[], float],
        opened: Callable[[], None],
        apply: Callable[[StatusPageChange], Awaitable[None]],
    ) -> None:
        self._calls = calls
        self._lease = lease
        self._elapsed = elapsed
        self._opened = opened
        self._apply = apply
        self._watch_id = str(uuid4())
        self._unconfirmed: list[str] = []
        self._begun = asyncio.Event()
        self._wake = asyncio.Event()

    async def follow(self) -> None:
        """Returns never; raises what ended the stream, or the renewals."""
        tasks = [asyncio.ensure_future(self._read()), asyncio.ensure_future(self._renew())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self._lease.lost()
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self) -> None:
        begun = False
        async with aclosing(self._calls.watch(self._watch_id)) as stream:
            async for told in stream:
                if not begun:
                    begun = True
                    self._lease.opened()
                    self._opened()
                    self._begun.set()
                for change in told.changes:
                    await self._apply(change)
                    if change.confirm:
                        self._unconfirmed.append(change.id)
                        self._wake.set()

    async def _renew(self) -> None:
        """Renews at a third of the lease, and at once where something is to be confirmed."""
        try:
            async with asyncio.timeout(OPENING_SECONDS):
                await self._begun.wait()
        except TimeoutError:
            raise ServerAway("the stream does not begin") from None
        lasts_until = self._elapsed() + FIRST_RENEWAL_SECONDS
        while True:
            self._wake.clear()
            confirmed, sent = self._unconfirmed[:MOST_CONFIRMED], self._elapsed()
            pause = RETRY_SECONDS
            try:
                seconds = await self._calls.renew(self._watch_id, confirmed, seconds=RENEWAL_SECONDS)
            except ServerAway:
                if self._elapsed() > lasts_until:
                    raise  # it ended for the server, too: only a new stream helps
            except WatchUnknown:
                raise ServerAway("the watch is not known any more") from None
            else:
                self._lease.renewed(sent, seconds)
                lasts_until = sent + seconds
                del self._unconfirmed[: len(confirmed)]
                pause = 0.0 if self._unconfirmed else seconds / 3
            await self._pause(pause, woken=pause > RETRY_SECONDS)

    async def _pause(self, seconds: float, *, woken: bool) -> None:
        """Waits; where `woken`, something to confirm ends it early."""
        if not woken:
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
