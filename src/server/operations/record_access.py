"""Records who read, after they have been answered: a slow database makes the record late, never the answer."""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog

from kernel.database import transaction
from server.domain.partner_access import Visitor, Visits
from server.operations.environment import Environment
from server.storage import partner_sessions

MOST_PENDING_VISITORS = 10_000
BATCH = 200
FLUSH_SECONDS = 3.0

log = structlog.get_logger()


class AccessRecord:
    """The accesses that are not written yet, added up by visitor; one task writes while there are any."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._pending: dict[Visitor, Visits] = {}
        self._writer: asyncio.Task[None] | None = None

    def note(self, visitor: Visitor, at: datetime) -> None:
        """Takes note of one access; answers at once."""
        self._keep(visitor, Visits(first_at=at, last_at=at))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())

    async def flush(self, within: float = FLUSH_SECONDS) -> None:
        """Waits until everything noted so far is written, or cannot be; gives up after `within` seconds."""
        if self._writer is not None and not self._writer.done():
            await asyncio.wait([self._writer], timeout=within)
        if self._pending:
            log.warning("accesses_not_recorded", visitors=len(self._pending))

    def _keep(self, visitor: Visitor, visits: Visits) -> None:
        known = self._pending.get(visitor)
        if known is not None:
            self._pending[visitor] = known.and_then(visits)
        elif len(self._pending) < MOST_PENDING_VISITORS:
            self._pending[visitor] = visits
        else:
            log.warning("access_not_recorded", partner_id=str(visitor.partner_id), count=visits.count)

    async def _write(self) -> None:
        while self._pending:
            # In the order of the partners, so that two servers do not wait for each other's rows crosswise.
            batch = sorted(self._pending.items(), key=lambda entry: str(entry[0].partner_id))[:BATCH]
            for visitor, _ in batch:
                del self._pending[visitor]
            try:
                await self._store(batch)
            except Exception as error:  # noqa: BLE001 - kept, and tried again with the next access
                log.warning("access_record_late", error=type(error).__name__)
                for visitor, visits in batch:
                    self._keep(visitor, visits)
                return

    async def _store(self, batch: list[tuple[Visitor, Visits]]) -> None:
        async with transaction(self._env.sessions) as tx:
            for visitor, visits in batch:
                await partner_sessions.record(tx.session, self._env.new_id(), visitor, visits)
