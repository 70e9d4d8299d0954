"""A TCP proxy that breaks connections the hard way, after as many bytes as a test says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass
class CuttingProxy:
    """Stands before a server; every new connection takes the next of `budgets`, the last ones live as long as they may.

    `upstream` may be changed: the next connection goes to the new one.
    """

    upstream: str
    budgets: Iterator[int]
    address: str = ""
    cuts: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self.upstream.rpartition(":")
        budget = next(self.budgets, None)
        with contextlib.suppress(OSError):
            to_server = await asyncio.open_connection(host, int(port))
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(_copy(reader, to_server[1], None))
                    group.create_task(_copy(to_server[0], writer, budget))
            except* _Ended as ended:
                self.cuts += any(error.cut for error in ended.exceptions if isinstance(error, _Ended))
            finally:
                to_server[1].transport.abort()
        writer.transport.abort()  # a reset, not a farewell


class _Ended(Exception):
    def __init__(self, *, cut: bool) -> None:
        self.cut = cut


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, budget: int | None) -> None:
    """Copies until the end, or until `budget` bytes are through: in the middle of a frame, as networks do it."""
    passed = 0
    with contextlib.suppress(OSError):
        while data := await reader.read(4096):
            if budget is not None and passed + len(data) > budget:
                writer.write(data[: budget - passed])
                await writer.drain()
                raise _Ended(cut=True)
            passed += len(data)
            writer.write(data)
            await writer.drain()
    raise _Ended(cut=False)


@asynccontextmanager
async def a_cutting_proxy(upstream: str, budgets: Iterator[int]) -> AsyncIterator[CuttingProxy]:
    proxy = CuttingProxy(upstream, budgets)
    listener = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    proxy.address = f"{host}:{port}"
    try:
        yield proxy
    finally:
        listener.close()
