"""`python -m gateway`: reads its settings, binds its port, serves until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import structlog
import uvicorn
import uvloop
from starlette.types import ASGIApp

from gateway.app import create_app
from gateway.edge.client_address import Proxies
from gateway.edge.event_stream import Streams
from gateway.edge.http_connection import MOST_CONNECTIONS, LimitedConnection
from gateway.edge.http_server import HttpServer, room_for
from gateway.edge.tls import Pair, open_pair
from gateway.keep.calls import PartnerCalls
from gateway.keep.disk import Disk, FolderInUse
from gateway.keep.keeper import Keeper, keeping
from gateway.listener import bind, spelled
from gateway.server_client import connect
from gateway.server_tls import ServerTls, open_server_tls
from gateway.settings import GatewaySettings
from kernel.certificate_files import UnusableFiles
from kernel.settings import fail, load, write_ready_file
from kernel.telemetry import configure

GRACE_SECONDS = 3
"""How long a stop waits for answers that are being sent; idle connections are closed at once."""

log = structlog.get_logger()


def main() -> None:
    settings = load(GatewaySettings)
    configure("gateway", settings.log_format)
    token = _read_token(settings.gateway_token_file)
    try:
        pair, server_tls = _open_pair(settings), _open_server_tls(settings)
    except UnusableFiles as problem:
        fail(f"cannot start: TLS: {problem}")
    try:
        listener = bind(settings.gateway_listen)
    except OSError as error:
        fail(f"cannot start: cannot listen on {settings.gateway_listen}: {error.strerror or error}")
    uvloop.run(serve(settings, token, listener, pair, server_tls))


async def serve(
    settings: GatewaySettings, token: str, listener: socket.socket, pair: Pair | None, server_tls: ServerTls | None
) -> None:
    connections = room_for(settings.gateway_max_connections)
    streams = Streams(most=min(settings.gateway_max_streams, connections // 2))
    async with (
        connect(settings.server_address, server_tls) as channel,
        _keeping(settings, PartnerCalls(channel, token)) as keeper,
    ):
        app = create_app(
            keeper,
            keeper,
            settings.gateway_public_url,
            proxies=Proxies(settings.gateway_trusted_proxies, settings.gateway_forwarded_header),
            streams=streams,
        )
        server = _Server(_config(app, pair, connections), settings.ready_file, streams)
        watching = asyncio.create_task(pair.watch(), name="tls pair") if pair else None
        try:
            await server.serve(sockets=[listener])
        finally:
            if watching:
                watching.cancel()
    log.info("stopped")


@asynccontextmanager
async def _keeping(settings: GatewaySettings, calls: PartnerCalls) -> AsyncIterator[Keeper]:
    folder = settings.gateway_cache_dir
    try:
        disk = Disk(folder) if folder else None
    except FolderInUse:
        fail("cannot start: ONCALL_GATEWAY_CACHE_DIR is in use by another gateway")
    except OSError as error:
        fail(f"cannot start: ONCALL_GATEWAY_CACHE_DIR cannot be used: {error.strerror or error}")
    async with keeping(calls, disk, settings.gateway_stale_seconds) as keeper:
        yield keeper


def _config(app: ASGIApp, pair: Pair | None, connections: int = MOST_CONNECTIONS) -> uvicorn.Config:
    class Connection(LimitedConnection):
        most_connections = connections

    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # anybody can send them; gateway.edge.client_address says who is believed
        timeout_graceful_shutdown=GRACE_SECONDS,
        ssl_context_factory=(lambda *_: pair.context) if pair else None,
    )


class _Server(HttpServer):
    """As its base, but a signal ends it with exit code 0, and it says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready_file: Path | None, streams: Streams) -> None:
        super().__init__(config)
        self._streams = streams
        self._ready_file = ready_file

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Replaces uvicorn's way, which raises the signal again once it has stopped."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        yield

    def _stop(self, *_: object) -> None:
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._streams.close()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        address = spelled((sockets or [])[0])
        log.info("listening", address=address)
        write_ready_file(self._ready_file, {"address": address})


def _open_pair(settings: GatewaySettings) -> Pair | None:
    if settings.gateway_tls_certificate is None or settings.gateway_tls_key is None:
        return None
    return open_pair(settings.gateway_tls_certificate, settings.gateway_tls_key)


def _open_server_tls(settings: GatewaySettings) -> ServerTls | None:
    if not settings.speaks_tls_to_server:
        return None
    return open_server_tls(settings.gateway_server_ca, settings.gateway_client_certificate, settings.gateway_client_key)


def _read_token(file: Path) -> str:
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as error:
        fail(f"cannot start: ONCALL_GATEWAY_TOKEN_FILE cannot be read: {type(error).__name__}")
    return token or fail("cannot start: ONCALL_GATEWAY_TOKEN_FILE is empty")


if __name__ == "__main__":
    main()
