"""`python -m server`: serves every gRPC service until it is told to stop."""

from __future__ import annotations

import asyncio

import structlog
import uvloop

from kernel.heap import keep_what_started
from kernel.settings import fail, load, write_ready_file
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
    if settings.server_gateway_listen:
        require_free(settings.server_gateway_listen, "ONCALL_SERVER_GATEWAY_LISTEN")
    try:
        port = await platform.start(settings.server_listen, settings.server_gateway_listen)
    except RuntimeError:
        why = ", or gRPC cannot use the kind of key in ONCALL_SERVER_TLS_KEY" if platform.tls else ""
        fail(f"cannot start: {settings.server_listen} cannot be had{why}")
    addresses = {"address": _at(settings.server_listen, port)}
    if settings.server_gateway_listen:
        addresses["gateway_address"] = _at(settings.server_gateway_listen, platform.gateway_port)
    keep_what_started()
    write_ready_file(settings.ready_file, addresses)
    log.info("serving", **addresses, tls=platform.tls is not None)
    failed = asyncio.create_task(platform.failed())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([failed, stopped], return_when=asyncio.FIRST_COMPLETED)
    log.info("stopping")
    await platform.stop()
    stopped.cancel()
    if failed.done() and not failed.cancelled():
        failed.result()


def _at(listen: str, port: int) -> str:
    return f"{listen.rpartition(':')[0]}:{port}"


if __name__ == "__main__":
    settings = load(ServerSettings)
    configure("server", settings.log_format)
    uvloop.run(main(settings))
