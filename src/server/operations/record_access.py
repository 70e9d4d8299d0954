"""Records who read: the first access of a session at once, the rest in batches; no answer waits for either.

Each batch has an id that is written with it. So one that is tried again, because nobody knows whether it was committed,
counts once.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from kernel.database import transaction
from server.domain.partner_access import SESSION_ENDS_AFTER, Visitor, Visits
from server.operations.environment import Environment
from server.storage import recorded_accesses

MOST_PENDING_VISITORS = 10_000
MOST_KNOWN_VISITORS = 20_000
BATCH = 200
FLUSH_EVERY_SECONDS = 1.0
FLUSH_SECONDS = 3.0

log = structlog.get_logger()


@dataclass(slots=True)
class _Batch:
    id: str
    visits: list[tuple[Visitor, Visits]] = field(default_factory=list)


class AccessRecord:
    """The accesses that are not written yet, added up by visitor; one task writes while there are any."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._pending: dict[Visitor, Visits] = {}
        self._unsettled: _Batch | None = None
        self._seen: OrderedDict[Visitor, datetime] = OrderedDict()
        self._writer: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()

    async def note(self, visitor: Visitor, at: datetime) -> None:
        """Takes note of one access; the first of a session is written at once, but the answer does not wait for it."""
        self._keep(visitor, Visits(first_at=at, last_at=at))
        last = self._seen.get(visitor)
        self._seen[visitor] = at
        self._seen.move_to_end(visitor)
        if len(self._seen) > MOST_KNOWN_VISITORS:
            self._seen.popitem(last=False)
        if last is None or at - last > SESSION_ENDS_AFTER:
            self._hurry.set()
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())

    async def flush(self, within: float = FLUSH_SECONDS) -> None:
        """Waits until everything noted so far is written, or cannot be; gives up after `within` seconds."""
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        self._hurry.set()
        await asyncio.wait([self._writer], timeout=within)
        if self._pending or self._unsettled:
            log.warning("accesses_not_recorded", visitors=len(self._pending))

    async def close(self) -> None:
        """Flushes, and gives up what cannot be written."""
        await self.flush()
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait([self._writer])

    def _keep(self, visitor: Visitor, visits: Visits) -> None:
        known = self._pending.get(visitor)
        if known is not None:
            self._pending[visitor] = known.and_then(visits)
        elif len(self._pending) < MOST_PENDING_VISITORS:
            self._pending[visitor] = visits
        else:
            log.warning("access_not_recorded", partner_id=str(visitor.partner_id), count=visits.count)

    async def _write(self) -> None:
        while self._pending or self._unsettled:
            try:
                async with asyncio.timeout(FLUSH_EVERY_SECONDS):
                    await self._hurry.wait()
            except TimeoutError:
                pass
            self._hurry.clear()
            try:
                await self._write_pending()
            except Exception as error:  # noqa: BLE001 - kept, and tried again; the database may be away for long
                log.warning("access_record_late", error=type(error).__name__)

    async def _write_pending(self) -> None:
        while self._pending or self._unsettled:
            if self._unsettled is None:
                taken = list(self._pending.items())[:BATCH]
                self._unsettled = _Batch(str(self._env.new_id()), taken)
                for visitor, _ in taken:
                    del self._pending[visitor]
            await store_accesses(self._env, self._unsettled.id, self._unsettled.visits)
            self._unsettled = None


async def store_accesses(env: Environment, batch_id: str, visits: Sequence[tuple[Visitor, Visits]]) -> None:
    """Writes a batch, all of it or nothing; one that was written already counts no second time."""
    async with transaction(env.sessions) as tx:
        if not await recorded_accesses.claim_batch(tx.session, batch_id):
            return
        await recorded_accesses.record(tx.session, env.new_id, visits)
