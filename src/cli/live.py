"""Brings what arrives from the server and what the person at the keyboard wants into one line of events.

The stream is read by a thread of its own and Ctrl-C only adds to the line. So an interrupt never falls between taking
an event and showing it: nothing is lost, and nothing is shown twice, however often somebody hesitates. Nor does it fall
into the midst of gRPC, which may hold a lock then that nobody would let go any more.
"""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Generic, Protocol, Self, TypeVar

_EVENTS_AHEAD = 16
"""Events read before they are shown: at most 16 × 64 KiB; then the server waits, never the script."""


Event = TypeVar("Event")
Event_co = TypeVar("Event_co", covariant=True)


class Following(Protocol[Event_co]):
    """What arrives from the server, one after another, until another thread stops it."""

    def __iter__(self) -> Iterator[Event_co]: ...

    def stop(self) -> None: ...


class Interrupt:
    """Ctrl-C was pressed."""


class Live(Generic[Event]):
    """Iterates over events and interrupts, between `with` and its end.

    A second Ctrl-C before the first was answered raises KeyboardInterrupt, wherever that is.
    """

    def __init__(self, follow: Following[Event]) -> None:
        self._follow = follow
        self._line: queue.SimpleQueue[Event | Interrupt | BaseException | None] = queue.SimpleQueue()
        self._ahead = threading.Semaphore(_EVENTS_AHEAD)
        self._left = threading.Event()
        self._waiting_for_answer = False

    def __enter__(self) -> Self:
        self._on_main_thread = threading.current_thread() is threading.main_thread()
        if self._on_main_thread:
            self._before = signal.signal(signal.SIGINT, self._interrupted)
        self._reader = threading.Thread(target=self._read, name="events", daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._follow.stop()
        self._ahead.release()
        self._reader.join(timeout=2)
        if self._on_main_thread:
            signal.signal(signal.SIGINT, self._before)

    def __iter__(self) -> Iterator[Event | Interrupt]:
        while True:
            item = self._line.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
            if isinstance(item, Interrupt):
                self._waiting_for_answer = False
            else:
                self._ahead.release()

    def _read(self) -> None:
        try:
            for event in self._follow:
                self._ahead.acquire()
                if self._left.is_set():
                    return
                self._line.put(event)
        except BaseException as error:  # noqa: BLE001 - raised again where the events are shown
            self._line.put(error)
        else:
            self._line.put(None)

    def _interrupted(self, _signal: int, _frame: FrameType | None) -> None:
        if self._waiting_for_answer:
            raise KeyboardInterrupt
        self._waiting_for_answer = True
        self._line.put(Interrupt())  # SimpleQueue may be put to within a signal handler
