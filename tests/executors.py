"""Executors for tests, over the test's own database and Redis: in this process, or as they are run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from executor.identity import new_executor_id
from executor.settings import ExecutorSettings
from executor.wiring import running_executor
from kernel.cipher import Cipher
from tests.builders import MASTER_KEY
from tests.waiting import eventually


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


@asynccontextmanager
async def an_executor_process(
    database_url: str,
    redis_url: str,
    folder: Path,
    *options: str,
    python: Sequence[str] = (sys.executable,),
    inherited: Mapping[str, str] = os.environ,
    environment: Mapping[str, str] | None = None,
    stderr: int | None = None,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """An executor as it is run: a process of its own, started by the words in `python`; `folder` is for its use."""
    ready = folder / f"ready-{os.urandom(4).hex()}"
    process = await asyncio.create_subprocess_exec(
        *python,
        "-m",
        "executor",
        *options,
        env={
            **inherited,
            "ONCALL_DATABASE_URL": database_url,
            "ONCALL_REDIS_URL": redis_url,
            "ONCALL_MASTER_KEY": MASTER_KEY,
            "ONCALL_DRAIN_SECONDS": "0",
            "ONCALL_KILL_GRACE_SECONDS": "0.2",
            "ONCALL_READY_FILE": str(ready),
            **(environment or {}),
        },
        stderr=stderr,
    )

    async def is_ready() -> bool:
        assert process.returncode is None
        return ready.exists()

    try:
        await eventually(is_ready, within=60)  # a Python that imports, on a busy machine
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
