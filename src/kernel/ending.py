"""The end of a process: what still runs is cancelled until it ends; what is open is closed, and not waited for long.

A store that hangs answers no good-bye; it notices by itself that its client is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection
from typing import Any

import structlog

log = structlog.get_logger()

CANCEL_AGAIN_SECONDS = 0.2
CLOSE_SECONDS = 2.0


async def cancel(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancels tasks until they have ended, however they do.

    Again and again: the Redis client may swallow a cancellation that comes while it waits for a message.
    """
    left = set(tasks)
    while left:
        for running in left:
            running.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_SECONDS)


async def close(what: str, closing: Awaitable[object]) -> None:
    """Waits until something is closed, for `CLOSE_SECONDS` at most; that it was not, or failed, is logged."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await closing
    except Exception as error:  # noqa: BLE001 - the process ends, and what it leaves open ends with it
        log.warning("not_closed", what=what, error=type(error).__name__)
