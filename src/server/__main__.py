"""`python -m server`: serves every gRPC service until it is told to stop."""

from __future__ import annotations

import asyncio

import structlog
import uvloop

from kernel.settings import load, write_ready_file
from kernel.telemetry import configure
from server.process import require_free, require_migrated, stop_signal
from server.settings import ServerSettings
from server.wiring import build

log = structlog.get_logger()


async def main(settings: ServerSettings) -> None:
    stop = stop_signal()
    platform = build(settings)
    await require_migrated(platform.engine)
    require_free(settings.server_listen, "ONCALL_SERVER_LISTEN")
    port = await platform.start(settings.server_listen)
    address = f"{settings.server_listen.rpartition(':')[0]}:{port}"
    write_ready_file(settings.ready_file, {"address": address})
    log.info("serving", address=address)
    failed = asyncio.create_task(platform.failed())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([failed, stopped], return_when=asyncio.FIRST_COMPLETED)
    log.info("stopping")
    await platform.stop()
    stopped.cancel()
    if failed.done() and not failed.cancelled():
        failed.result()


if __name__ == "__main__":
    settings = load(ServerSettings)
    configure("server", settings.log_format)
    uvloop.run(main(settings))
