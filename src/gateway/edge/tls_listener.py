"""Accepts connections that begin with a TLS handshake: how many handshakes may go on, and how long each may take.

`create_server` makes them by itself, and tells nobody of those that go on or have failed: so they could not be counted.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

import structlog

PAUSE_SECONDS = 0.2
"""Where the system has no open file left, until somebody has gone."""

log = structlog.get_logger()


class TlsListener:
    """Makes a connection of whoever gets through their handshake; closed like an asyncio server."""

    def __init__(
        self,
        listener: socket.socket,
        context: ssl.SSLContext,
        connection: Callable[[], asyncio.Protocol],
        has_room: Callable[[int], bool],
        seconds: float,
    ) -> None:
        """`has_room` is asked about so many handshakes at one time."""
        self._listener, self._context, self._connection = listener, context, connection
        self._has_room, self._seconds = has_room, seconds
        self._handshakes: set[asyncio.Task[None]] = set()
        listener.setblocking(False)
        self._accepting = asyncio.create_task(self._accept(), name="tls listener")

    def close(self) -> None:
        for task in (self._accepting, *self._handshakes):
            task.cancel()

    async def wait_closed(self) -> None:
        await asyncio.gather(self._accepting, *self._handshakes, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(self._listener)
            except OSError as error:
                log.warning("cannot_accept", error=error.strerror)
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if not self._has_room(len(self._handshakes) + 1):
                accepted.close()
                continue
            task = asyncio.create_task(self._shake_hands(accepted), name="tls handshake")
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, accepted: socket.socket) -> None:
        with suppress(OSError):  # as all errors of TLS and of time are; whoever it was has been told by TLS itself
            await asyncio.get_running_loop().connect_accepted_socket(
                self._connection, accepted, ssl=self._context, ssl_handshake_timeout=self._seconds
            )
