"""Marks that scripts leave outside: one datagram at the start of each, so that every start is counted, known or not."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from types import TracebackType
from typing import Self

BUFFER_BYTES = 4 * 1024 * 1024  # nothing is lost on loopback while there is room


class Marks:
    """A listener on loopback, for as long as the block lasts; (execution, attempt) → how many different starts."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._seen: set[bytes] = set()
        self._hearing = threading.Thread(target=self._hear, name="marks", daemon=True)

    def __enter__(self) -> Self:
        self._hearing.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as farewell:
            farewell.sendto(b"", ("127.0.0.1", self.port))
        self._hearing.join()
        self._socket.close()

    def counted(self) -> Counter[tuple[str, int]]:
        """Answers what was heard; call it after the block."""
        starts: Counter[tuple[str, int]] = Counter()
        for mark in self._seen:
            execution, attempt, _ = mark.decode().split(" ")
            starts[execution, int(attempt)] += 1
        return starts

    def _hear(self) -> None:
        while mark := self._socket.recv(512):
            self._seen.add(mark)
