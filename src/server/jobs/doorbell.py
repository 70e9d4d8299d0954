"""Hears PostgreSQL's NOTIFY on a connection of its own, again and again; whoever is told looks for himself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

CHECK_SECONDS = 1.0
RECONNECT_SECONDS = 1.0
OPENING_SECONDS = 5.0

log = structlog.get_logger()


async def hear(engine: AsyncEngine, channel: str, told: Callable[[], None], stop: asyncio.Event) -> None:
    """Calls `told` for every word on `channel` until `stop`, and once whenever words may have been missed."""
    while not stop.is_set():
        try:
            await _listen(engine, channel, told, stop)
        except Exception as error:  # noqa: BLE001 - PostgreSQL may be away in many ways; the sweep finds what is missed
            log.warning("doorbell_lost", channel=channel, error=type(error).__name__)
        await _until(stop, RECONNECT_SECONDS)


async def _listen(engine: AsyncEngine, channel: str, told: Callable[[], None], stop: asyncio.Event) -> None:
    arguments, options = engine.dialect.create_connect_args(engine.url)
    connection = await asyncpg.connect(*arguments, **options, timeout=OPENING_SECONDS)
    try:
        await connection.add_listener(channel, lambda *_: told())
        told()
        while not connection.is_closed() and not stop.is_set():
            await connection.execute("SELECT 1", timeout=OPENING_SECONDS)
            await _until(stop, CHECK_SECONDS)
    finally:
        connection.terminate()


async def _until(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
