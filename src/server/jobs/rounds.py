"""Repeats a job for as long as the process lives, whatever goes away meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()

LONGEST_PAUSE_SECONDS = 15.0


async def repeat(name: str, job: Callable[[], Awaitable[object]], *, every: float, stop: asyncio.Event) -> None:
    """Runs `job` every so many seconds until `stop`; after failures, less and less often, and again when it can."""
    pause = every
    while not stop.is_set():
        try:
            await job()
            pause = every
        except Exception as error:  # noqa: BLE001 - PostgreSQL may be away in many ways; a job must outlive them all
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            log.warning("job_failed", job=name, error=type(error).__name__, again_in_seconds=pause)
        await _until(stop, pause)


async def _until(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
