"""What this process holds of the log of one followed execution: its end so far, and its latest events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from kernel.execution.event import Event, StateChanged
from kernel.execution.status import ExecutionStatus

RING_BYTES = 1024 * 1024
BATCH_EVENTS = 64
BATCH_BYTES = 256 * 1024
"""A watcher is given so much at a time, and a chunk: what it holds while its client does not read."""


class FollowedLog:
    """The latest events, contiguous up to `tail`, for all watchers of one execution; at most `room()` bytes of them."""

    def __init__(self, room: Callable[[], int] = lambda: RING_BYTES) -> None:
        self.watchers = 0
        self.beginning = asyncio.Lock()
        """Held by the watcher that asks for all of them how far the log goes."""
        self._room = room
        self.tail: int | None = None
        """The greatest sequence that is known to be stored; None before anybody has asked."""
        self.end: int | None = None
        """The sequence of the terminal snapshot, once it is known."""
        self.expired = False
        """Whether the log ended and was removed before this process had heard its end."""
        self._early: list[Event] = []
        self._ring: deque[Event] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()

    def start_at(self, tail: int, *, ended: bool) -> bool:
        """Takes what the database says, then what was heard while it was asked; False where that leaves a hole."""
        if ended:
            self.end = tail
        if self.tail is not None:
            return True
        self.tail = tail
        early, self._early = self._early, []
        return self.admit(early)

    def begin_with(self, first: Event) -> None:
        """Takes the first event of a log that has just been begun: there is nobody to ask yet what else there is."""
        if self.tail is None:
            self.tail = first.sequence - 1
            early, self._early = self._early, []
            self.admit([first, *early])

    def admit(self, events: Sequence[Event]) -> bool:
        """Takes what comes next and skips what is known; False where something in between is missing."""
        if self.tail is None:
            self._early = [*self._early, *events][-BATCH_EVENTS:]
            return True
        whole = True
        for event in events:
            if event.sequence == self.tail + 1:
                self._append(event)
            elif event.sequence > self.tail:
                whole = False
                break
        self.wake()
        return whole

    def after(self, sequence: int) -> list[Event]:
        """Answers what follows `sequence`, one batch at most; empty where the ring no longer or not yet has it."""
        if not self._ring or not self._ring[0].sequence <= sequence + 1 <= self._ring[-1].sequence:
            return []
        first = sequence + 1 - self._ring[0].sequence
        batch: list[Event] = []
        size = 0
        for event in islice(self._ring, first, first + BATCH_EVENTS):
            batch.append(event)
            size += event.size
            if size >= BATCH_BYTES:
                break
        return batch

    @property
    def changed(self) -> asyncio.Event:
        """Is set at the next change; take it before looking, so that no change falls in between."""
        return self._changed

    def wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _append(self, event: Event) -> None:
        self.tail = event.sequence
        if is_terminal(event):
            self.end = event.sequence
        self._ring.append(event)
        self._bytes += event.size
        room = self._room()
        while self._bytes > room:
            self._bytes -= self._ring.popleft().size


def is_terminal(event: Event) -> bool:
    """Whether nothing can follow `event`."""
    return isinstance(event.payload, StateChanged) and ExecutionStatus(event.payload.state["status"]).ended
