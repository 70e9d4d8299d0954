"""Waiting for what must come to pass, with a deadline; the only loop around a clock that tests need."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable

PATIENCE = int(os.environ.get("ONCALL_TEST_PATIENCE", "1"))
"""How many times longer is waited than elsewhere: for an emulated machine, which does everything, but slowly."""


async def eventually(happened: Callable[[], Awaitable[bool]], *, within: float = 10.0) -> None:
    """Returns once `happened` answers true; fails the test where it does not within so many seconds."""
    deadline = time.monotonic() + within * PATIENCE
    while not await happened():
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {within:.0f} s: {happened.__qualname__}")
        await asyncio.sleep(0.02)
