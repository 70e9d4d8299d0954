"""Wakes those who wait for a page to change."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Signals:
    """Events by page; one that is set stays so until its owner clears it, so that no change falls between two waits."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def of(self, page_id: str) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._waiting.setdefault(page_id, set()).add(event)
        try:
            yield event
        finally:
            waiting = self._waiting[page_id]
            waiting.discard(event)
            if not waiting:
                del self._waiting[page_id]

    def changed(self, page_id: str) -> None:
        for event in self._waiting.get(page_id, ()):
            event.set()

    def all_changed(self) -> None:
        for page_id in self._waiting:
            self.changed(page_id)
