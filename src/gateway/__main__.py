"""`python -m gateway`: reads its settings, binds its port, serves until SIGTERM or SIGINT."""

from __future__ import annotations

import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import structlog
import uvicorn
import uvloop

from gateway.app import create_app
from gateway.keep.calls import PartnerCalls
from gateway.keep.disk import Disk, FolderInUse
from gateway.keep.keeper import Keeper, keeping
from gateway.listener import bind, spelled
from gateway.server_client import connect
from gateway.settings import GatewaySettings
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
        listener = bind(settings.gateway_listen)
    except OSError as error:
        fail(f"cannot start: cannot listen on {settings.gateway_listen}: {error.strerror or error}")
    uvloop.run(serve(settings, token, listener))


async def serve(settings: GatewaySettings, token: str, listener: socket.socket) -> None:
    async with (
        connect(settings.server_address) as server,
        _keeping(settings, PartnerCalls(server.channel, token)) as keeper,
    ):
        app = create_app(keeper, server, settings.gateway_public_url)
        config = uvicorn.Config(
            app,
            http="httptools",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # anybody can send them; the client's address is the peer's
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        await _Server(config, settings.ready_file).serve(sockets=[listener])
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


class _Server(uvicorn.Server):
    """uvicorn, but a signal ends it with exit code 0, and it says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready_file: Path | None) -> None:
        super().__init__(config)
        self._ready_file = ready_file

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Replaces uvicorn's way, which raises the signal again once it has stopped."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        yield

    def _stop(self, *_: object) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        address = spelled((sockets or [])[0])
        log.info("listening", address=address)
        write_ready_file(self._ready_file, {"address": address})


def _read_token(file: Path) -> str:
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as error:
        fail(f"cannot start: ONCALL_GATEWAY_TOKEN_FILE cannot be read: {type(error).__name__}")
    return token or fail("cannot start: ONCALL_GATEWAY_TOKEN_FILE is empty")


if __name__ == "__main__":
    main()
