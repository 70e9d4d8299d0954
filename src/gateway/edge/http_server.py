"""uvicorn's server, which also ends the connections of those who do not read what they asked for."""

from __future__ import annotations

import asyncio
import resource
import socket

import structlog
import uvicorn

from gateway.edge.http_connection import HEAD_SECONDS, STANDING_ROOM, LimitedConnection

SWEEP_TICKS = 10
"""Of a tenth of a second."""
OTHER_FILES = 100
"""Open files beside connections: those of the folder, of the channel to the server, of the runtime."""

log = structlog.get_logger()


class HttpServer(uvicorn.Server):
    """Serves on sockets that are bound; there is no lifespan."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Does what uvicorn does, but TLS handshakes take no longer than the head of a request."""
        config, loop = self.config, asyncio.get_running_loop()

        def connection() -> asyncio.Protocol:
            return config.http_protocol_class(config=config, server_state=self.server_state, app_state={})  # type: ignore[call-arg] # of uvicorn's own kinds

        self.servers = [
            await loop.create_server(
                connection,
                sock=listener,
                ssl=config.ssl,
                backlog=config.backlog,
                ssl_handshake_timeout=HEAD_SECONDS if config.ssl else None,
            )
            for listener in sockets or []
        ]
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        if counter % SWEEP_TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, LimitedConnection):
                    connection.end_if_unread(now)
        return await super().on_tick(counter)


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
