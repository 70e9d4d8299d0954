"""The leases of all attempts of this executor: renewed together, and given up in time.

An attempt whose lease cannot be renewed is killed before the lease ends, so that no script runs on after the database
has told somebody else that its executor is lost. Where this process stands still, `executor.sandbox.switch` does it.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from executor.lease import Lease
from executor.sandbox.switch import Switch
from kernel import lifecycle
from kernel.database import Sessions, is_disconnect, transaction
from kernel.log_stream import cancel_channel

log = structlog.get_logger()


class Holder(Protocol):
    """An attempt that holds a lease."""

    def cancel(self) -> None:
        """Somebody asked for it to be cancelled; may be said twice."""

    def lose(self) -> None:
        """Its lease is gone or about to go: kill at once, write nothing more."""


@dataclass(slots=True)
class _Held:
    lease: Lease
    holder: Holder


class LeaseKeeper:
    """Keeps the leases of this executor; `run` is one task for all of them."""

    def __init__(self, sessions: Sessions, executor_id: str, switch: Switch, *, lease_seconds: float) -> None:
        self._sessions = sessions
        self._executor_id = executor_id
        self._switch = switch
        self._seconds = lease_seconds
        self._held: dict[UUID, _Held] = {}
        self._taken = asyncio.Event()

    @property
    def length(self) -> timedelta:
        """Of a lease, from its claim or its last renewal."""
        return timedelta(seconds=self._seconds)

    @property
    def held(self) -> int:
        """How many leases it keeps."""
        return len(self._held)

    def lease(self, execution_id: UUID, epoch: int, *, claimed_at: float) -> Lease:
        """Answers the lease of a claim; `claimed_at` is the loop's time before the claim was asked for."""
        return Lease(execution_id, epoch, self._seconds, self._switch, claimed_at=claimed_at)

    def hold(self, lease: Lease, holder: Holder) -> None:
        """Begins to keep a lease.

        Where the claim took so long that the lease is as good as over, `holder` loses it here and now; and so does who
        held this execution under an earlier epoch, which is over if there is a later one.
        """
        if lease.execution_id in self._held:
            self._lose(lease.execution_id)
        self._held[lease.execution_id] = _Held(lease, holder)
        self._taken.set()
        if lease.patience() <= 0:
            self._lose(lease.execution_id)

    def release(self, lease: Lease) -> None:
        """Ends to keep a lease, whose sandbox is gone."""
        held = self._held.get(lease.execution_id)
        if held is not None and held.lease is lease:
            del self._held[lease.execution_id]
        lease.over()

    async def run(self) -> None:
        """Renews three times per lease, and gives up what could not be renewed in time. Ends when cancelled.

        Two tasks, because a database that hangs must not keep anything from being given up. When this ends, however it
        does, nobody renews any more: what is still held is lost at once.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._renew_regularly())
                tasks.create_task(self._give_up_in_time())
        finally:
            for execution_id in list(self._held):
                self._lose(execution_id)

    async def _renew_regularly(self) -> None:
        loop = asyncio.get_running_loop()
        interval = self._seconds / 3
        due = loop.time() + interval
        while True:
            await asyncio.sleep(due - loop.time())
            due = loop.time() + interval
            await self._renew(within=interval)

    async def _give_up_in_time(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._taken.clear()
            next_expiry = self._next_expiry()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if next_expiry is None else next_expiry - loop.time()):
                    await self._taken.wait()
            self._give_up_expired()

    async def listen(self, redis: Redis) -> None:
        """Hears requests to cancel at once; one that is missed comes with the next renewal. Ends when cancelled."""
        while True:
            try:
                async with redis.pubsub() as subscription:
                    await subscription.subscribe(cancel_channel(self._executor_id))
                    while True:
                        message = await subscription.get_message(ignore_subscribe_messages=True, timeout=2.0)
                        if message is not None:
                            self._cancel(UUID(message["data"].decode()))
            except (RedisError, OSError, ValueError) as error:
                log.warning("cancel_channel_lost", error=type(error).__name__)
                await asyncio.sleep(1.0)

    async def _renew(self, *, within: float) -> None:
        asked_at = asyncio.get_running_loop().time()
        asked = {execution_id: held.lease.epoch for execution_id, held in self._held.items()}
        try:
            async with asyncio.timeout(within), transaction(self._sessions) as tx:
                renewed = await lifecycle.renew(tx.session, asked, lease=self.length)
        except Exception as error:
            if not is_disconnect(error):
                raise
            log.warning("renewal_failed", held=len(asked), error=type(error).__name__)
            return
        for execution_id, epoch in asked.items():
            held = self._held.get(execution_id)
            if held is None or held.lease.epoch != epoch:
                continue  # it ended meanwhile
            if execution_id not in renewed:
                self._lose(execution_id)
                continue
            held.lease.renewed(asked_at)
            if renewed[execution_id]:
                held.holder.cancel()

    def _cancel(self, execution_id: UUID) -> None:
        held = self._held.get(execution_id)
        if held is not None:
            held.holder.cancel()

    def _next_expiry(self) -> float | None:
        return min((held.lease.given_up_at for held in self._held.values()), default=None)

    def _give_up_expired(self) -> None:
        for execution_id, held in list(self._held.items()):
            if held.lease.patience() <= 0:
                self._lose(execution_id)

    def _lose(self, execution_id: UUID) -> None:
        log.warning("lease_lost", execution_id=str(execution_id))
        held = self._held.pop(execution_id)
        held.lease.lose()
        held.holder.lose()
