"""Pages of logs, read once for all who want them at about the same time.

Who attaches to an execution that has ended, or has fallen behind the ring of recent events, reads pages from
PostgreSQL. Where something goes wrong many do that at once and at the same place. So the pages of one log are read one
at a time, whoever waits for its turn first looks at what those before it brought, and the latest pages stay for a
while. Events are never changed, so a page that has been read can only be short of newer ones.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right, insort
from collections import deque
from uuid import UUID

from kernel import event_log
from kernel.database import Sessions, single_statements
from kernel.execution.event import Event

KEPT_BYTES = 8 * 1024 * 1024
READS_AT_ONCE = 4  # of different logs, so that watchers never take every connection of the pool


class LogPages:
    """Reads pages; keeps about `KEPT_BYTES` of the latest ones, of whatever logs."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._logs: dict[UUID, _ReadLog] = {}
        self._order: deque[tuple[UUID, list[Event]]] = deque()
        self._bytes = 0
        self._reads = asyncio.Semaphore(READS_AT_ONCE)

    async def after(self, execution_id: UUID, sequence: int) -> list[Event]:
        """Answers what follows `sequence`, a page at most; empty where nothing was stored when this was asked."""
        log = self._logs.setdefault(execution_id, _ReadLog())
        log.readers += 1
        try:
            if found := log.after(sequence):
                return found
            async with log.turn:
                return log.after(sequence) or await self._read(execution_id, log, sequence)
        finally:
            log.readers -= 1
            self._forget_idle(execution_id, log)

    async def _read(self, execution_id: UUID, log: _ReadLog, sequence: int) -> list[Event]:
        async with self._reads, single_statements(self._sessions) as session:
            page = await event_log.read_after(session, execution_id, sequence)
        if page:
            log.keep(page)
            self._order.append((execution_id, page))
            self._bytes += _size(page)
        while self._bytes > KEPT_BYTES:
            self._drop_oldest()
        return page

    def _drop_oldest(self) -> None:
        execution_id, page = self._order.popleft()
        self._bytes -= _size(page)
        log = self._logs[execution_id]
        log.drop(page)
        self._forget_idle(execution_id, log)

    def _forget_idle(self, execution_id: UUID, log: _ReadLog) -> None:
        if log.idle and self._logs.get(execution_id) is log:
            del self._logs[execution_id]


class _ReadLog:
    """The kept pages of one log, by their first sequences, and whose turn it is to read."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.readers = 0
        self._pages: list[list[Event]] = []

    @property
    def idle(self) -> bool:
        return not self.readers and not self._pages

    def after(self, sequence: int) -> list[Event]:
        """Answers the rest of the kept page that has the next sequence; empty where none has it."""
        at = bisect_right(self._pages, sequence + 1, key=_first)
        page = self._pages[at - 1] if at else []
        return page[sequence + 1 - _first(page) :] if page else []

    def keep(self, page: list[Event]) -> None:
        insort(self._pages, page, key=_first)

    def drop(self, page: list[Event]) -> None:
        self._pages = [kept for kept in self._pages if kept is not page]


def _first(page: list[Event]) -> int:
    return page[0].sequence


def _size(page: list[Event]) -> int:
    return sum(event.size for event in page)
