"""uvicorn's server, which also ends the connections of those who do not read what they asked for."""

from __future__ import annotations

import asyncio
import resource
import socket
from typing import Any

import structlog
import uvicorn

from gateway.edge.http_connection import HEAD_SECONDS, STANDING_ROOM, LimitedConnection
from gateway.edge.tls_listener import TlsListener

SWEEP_TICKS = 10
"""Of a tenth of a second."""
OTHER_FILES = 100
"""Open files beside connections: those of the folder, of the channel to the server, of the runtime."""

log = structlog.get_logger()


class HttpServer(uvicorn.Server):
    """Serves on sockets that are bound; there is no lifespan."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Does what uvicorn does, but TLS handshakes are counted, and take no longer than the head of a request."""
        self.servers = [await self._listen(listener) for listener in sockets or []]
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        if counter % SWEEP_TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, LimitedConnection):
                    connection.end_if_unread(now)
        return await super().on_tick(counter)

    async def _listen(self, listener: socket.socket) -> Any:
        context = self.config.ssl
        if context:
            return TlsListener(listener, context, self._connection, self._has_room, HEAD_SECONDS)
        loop = asyncio.get_running_loop()
        return await loop.create_server(self._connection, sock=listener, backlog=self.config.backlog)

    def _connection(self) -> LimitedConnection:
        return self._kind(config=self.config, server_state=self.server_state, app_state={})

    def _has_room(self, handshakes: int) -> bool:
        """Whether there may be so many, besides the connections that there are: all of them get an answer at least."""
        most = self._kind.most_connections * (1 + STANDING_ROOM)
        return len(self.server_state.connections) + handshakes <= most

    @property
    def _kind(self) -> type[LimitedConnection]:
        return self.config.http_protocol_class  # type: ignore[return-value] # `Config.http` is ours


def room_for(connections: int) -> int:
    """Answers how many connections there may be; fewer than wanted where the system grants fewer open files."""
    needed = round(connections * (1 + STANDING_ROOM)) + OTHER_FILES
    granted, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if granted != resource.RLIM_INFINITY and granted < needed:
        granted = needed if most == resource.RLIM_INFINITY else min(needed, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (granted, most))
    if granted == resource.RLIM_INFINITY or granted >= needed:
        return connections
    room = max(1, int((granted - OTHER_FILES) / (1 + STANDING_ROOM)))
    log.warning("fewer_connections", wanted=connections, room=room, open_files=granted)
    return room
