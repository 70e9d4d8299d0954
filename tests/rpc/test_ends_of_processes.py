"""A process that is told to stop ends soon, whatever its stores do: an orchestrator would kill it otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.launcher.embedded_postgres import EmbeddedPostgres
from cli.launcher.embedded_redis import EmbeddedRedis
from tests.conftest import frozen
from tests.rpc.test_processes import environment_of
from tests.waiting import eventually

STOP_SECONDS = 30
"""Twice what all the graces on the way to its end add up to."""


@contextlib.contextmanager
def hanging(redis: EmbeddedRedis) -> Iterator[None]:
    assert redis.process is not None
    os.kill(redis.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(redis.process.pid, signal.SIGCONT)


@pytest.mark.parametrize("module", ["server", "server.jobs"])
@pytest.mark.parametrize("which", ["PostgreSQL", "Redis"])
async def test_it_ends_while_a_store_hangs(
    own_postgres: EmbeddedPostgres, own_redis: EmbeddedRedis, tmp_path: Path, module: str, which: str
) -> None:
    environment = environment_of(own_postgres.url, own_redis.url, tmp_path)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, env=environment)

    async def is_ready() -> bool:
        assert process.returncode is None
        return await asyncio.to_thread(Path(environment["ONCALL_READY_FILE"]).exists)

    try:
        await eventually(is_ready, within=60)
        with frozen(own_postgres) if which == "PostgreSQL" else hanging(own_redis):
            await asyncio.sleep(2)
            process.send_signal(signal.SIGTERM)
            import time

            t = time.monotonic()
            async with asyncio.timeout(60):
                code = await process.wait()
            print("TOOK", module, which, code, time.monotonic() - t)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
