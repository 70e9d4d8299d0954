"""Reads a stream of the server over lost connections, synchronously; when to try again is as `oncall.follow` says."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar, Generic, TypeVar, cast

from cli.connection import Stream
from oncall.errors import OncallError
from oncall.follow import Backoff

Event = TypeVar("Event")


class Reattaching(ABC, Generic[Event]):
    """An iteration over what becomes of something that goes on without us, that another thread may stop.

    `say` is told `lost` once when the connection is lost, and `back` once when it is back.
    """

    lost: ClassVar[str]
    back: ClassVar[str]

    def __init__(self, say: Callable[[str], None], backoff: Backoff | None = None) -> None:
        self._say = say
        self._backoff = backoff or Backoff()
        self._stopped = threading.Event()
        self._stream: Stream | None = None

    @abstractmethod
    def _attach(self) -> Iterator[Event]:
        """Opens a stream, by `_opened`, that goes on from where the last one broke, and yields what it tells."""

    def __iter__(self) -> Iterator[Event]:
        lost = False
        while not self._stopped.is_set():
            try:
                for event in self._attach():
                    if lost:
                        self._say(self.back)
                        lost = False
                    self._backoff.progressed()
                    yield event
                return
            except OncallError as error:
                if self._stopped.is_set():
                    return
                delay = self._backoff.next_delay() if error.is_transient else None
                if delay is None:
                    raise
            if not lost:
                self._say(self.lost)
                lost = True
            self._stopped.wait(delay)

    def stop(self) -> None:
        """Ends the iteration from outside; what is followed goes on."""
        self._stopped.set()
        if self._stream is not None:
            self._stream.cancel()

    def _opened(self, stream: object) -> Stream:
        """Remembers what to cancel; the stubs do not say that the channel answers a Stream."""
        self._stream = cast("Stream", stream)
        return self._stream
