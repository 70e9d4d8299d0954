"""Redis may be away, come back, or hang: executions are accepted and followed all the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.launcher.embedded_redis import EmbeddedRedis
from tests.builders import a_team
from tests.rpc.conftest import a_server
from tests.rpc.watched import a_watched_execution
from tests.waiting import eventually


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis that this test may stop and start."""
    redis = EmbeddedRedis(tmp_path, log=tmp_path / "redis.log")
    redis.start()
    yield redis
    redis.stop()


async def test_without_redis_executions_are_accepted_and_followed(database_url: str, tmp_path: Path) -> None:
    async with a_server(database_url, f"unix://{tmp_path}/nobody.sock") as server:
        watched = await a_watched_execution(server, await a_team(server.sessions))
        watching = asyncio.create_task(watched.watched_to_the_end())
        await watched.executor.claim(publish=False)
        await watched.executor.say(b"a", b"b", publish=False)
        await watched.executor.finish(publish=False)
        assert [event.sequence for event in await watching] == [1, 2, 3, 4, 5]


async def test_a_redis_that_hangs_does_not_let_execute_hang(database_url: str, tmp_path: Path) -> None:
    silent = await asyncio.start_unix_server(_say_nothing, tmp_path / "silent.sock")
    async with silent, a_server(database_url, f"unix://{tmp_path}/silent.sock") as server:
        team = await a_team(server.sessions)
        started = time.monotonic()
        await a_watched_execution(server, team)
        assert time.monotonic() - started < 10  # it gives up after one second, on a machine that has time for it


async def test_a_watcher_outlives_a_redis_that_goes_and_comes_back(database_url: str, own_redis: EmbeddedRedis) -> None:
    async with a_server(database_url, own_redis.url) as server:
        subscription = server.platform.logs._subscription
        watched = await a_watched_execution(server, await a_team(server.sessions))
        watching = asyncio.create_task(watched.watched_to_the_end())
        await watched.being_watched()
        await watched.executor.claim()
        await asyncio.to_thread(own_redis.stop)
        await watched.executor.say(b"while it is away", publish=False)

        async def lost() -> bool:
            return not subscription.connected

        await eventually(lost)
        await asyncio.to_thread(own_redis.start)
        await watched.being_watched()
        await watched.executor.say(b"when it is back")
        await watched.executor.finish()
        assert [event.sequence for event in await watching] == [1, 2, 3, 4, 5]


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)
    writer.close()
