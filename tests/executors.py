"""Executors for tests: in this process, over the test's own database and Redis."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from executor.identity import new_executor_id
from executor.settings import ExecutorSettings
from executor.wiring import running_executor
from kernel.cipher import Cipher
from tests.builders import MASTER_KEY


def settings_of(database_url: str, redis_url: str) -> ExecutorSettings:
    """Settings of an executor that loses no time at its end."""
    return ExecutorSettings(
        database_url=SecretStr(database_url),
        redis_url=SecretStr(redis_url),
        master_key=SecretStr(MASTER_KEY),
        drain_seconds=0.0,
        kill_grace_seconds=0.5,
    )


@asynccontextmanager
async def an_executor(settings: ExecutorSettings, **changes: Any) -> AsyncIterator[None]:
    """An executor in this process, with some settings changed."""
    stop = asyncio.Event()
    changed = settings.model_copy(update=changes)
    async with running_executor(changed, Cipher(MASTER_KEY), new_executor_id(), stop) as hearing:
        try:
            yield
        finally:
            stop.set()
            with contextlib.suppress(asyncio.CancelledError):
                await hearing
