"""Where scripts wait for one another, so that what is to happen at one time does."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class StartingLine:
    """A listener on loopback: whoever connects is held until so many have, and then all are let go by one line."""

    def __init__(self, runners: int) -> None:
        self._runners = runners
        self._waiting: list[asyncio.StreamWriter] = []
        self.started = asyncio.Event()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._arrive, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        for writer in self._waiting:
            writer.close()
        self._server.close()

    async def _arrive(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._waiting.append(writer)
        if len(self._waiting) == self._runners:
            for waiting in self._waiting:
                waiting.write(b"go\n")
            self.started.set()
