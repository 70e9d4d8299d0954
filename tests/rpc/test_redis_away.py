"""Redis may be away, come back, or hang: executions are accepted and followed all the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

from cli.launcher.embedded_redis import EmbeddedRedis
from kernel.execution.content import ScriptLanguage, VersionContent
from kernel.lifecycle import RING_AGAIN_AFTER
from oncall.v1 import execution_pb2
from oncall.v1.runbook_service_pb2 import ExecuteRequest, GetExecutionRequest
from server.jobs.__main__ import SWEEP_SECONDS
from tests.builders import TeamWithPeople, a_team, an_approved_runbook
from tests.conftest import away
from tests.executors import an_executor_process
from tests.rpc.conftest import RunningServer, a_server
from tests.rpc.test_live_output import joined
from tests.rpc.test_processes import environment_of, serving
from tests.rpc.watched import a_watched_execution
from tests.waiting import eventually

TICKS = 120


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


async def test_what_is_asked_for_without_redis_runs_within_the_interval_of_the_sweep_once_it_is_back(
    database_url: str, own_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    async with (
        a_server(database_url, own_redis.url) as server,
        serving(environment_of(database_url, own_redis.url, tmp_path), "server.jobs"),
        an_executor_process(database_url, own_redis.url, tmp_path),
    ):
        team = await a_team(server.sessions)
        with away(own_redis):
            following = _executed(server, team, "echo ran")
            first = await anext(following)
            kept = await server.runbooks.GetExecution(
                GetExecutionRequest(execution_id=first.execution.id), metadata=team.responder.metadata
            )
            pending = execution_pb2.EXECUTION_STATUS_PENDING
            assert (first.execution.status, kept.execution.status) == (pending, pending)
        back_at = time.monotonic()
        events = [first] + [event async for event in following]
        took = time.monotonic() - back_at
    last = events[-1].execution
    assert (last.status, last.attempt, joined(events)) == (execution_pb2.EXECUTION_STATUS_COMPLETED, 1, b"ran\n")
    assert took < RING_AGAIN_AFTER.total_seconds() + SWEEP_SECONDS + 20  # what a loaded machine needs on top


async def test_a_watcher_of_a_running_script_sees_all_output_through_an_outage_of_redis(
    database_url: str, own_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    async with (
        a_server(database_url, own_redis.url) as server,
        an_executor_process(database_url, own_redis.url, tmp_path),
    ):
        subscription = server.platform.logs._subscription
        script = f"for n in $(seq {TICKS}); do echo $n; sleep 0.05; done"
        following = _executed(server, await a_team(server.sessions), script)
        events: list[execution_pb2.ExecutionEvent] = []

        async def seen(line: int) -> None:
            while f"\n{line}\n".encode() not in joined(events):
                events.append(await anext(following))

        async def heard_again() -> bool:
            return subscription.connected

        await seen(10)
        with away(own_redis):
            await seen(40)
            assert not subscription.connected
        await eventually(heard_again)
        events += [event async for event in following]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert joined(events) == "".join(f"{n}\n" for n in range(1, TICKS + 1)).encode()
    last = events[-1].execution
    assert (last.status, last.attempt) == (execution_pb2.EXECUTION_STATUS_COMPLETED, 1)


async def _executed(
    server: RunningServer, team: TeamWithPeople, script: str
) -> AsyncIterator[execution_pb2.ExecutionEvent]:
    """Executes a new runbook and yields its events to the end."""
    runbook = await an_approved_runbook(server.sessions, team, VersionContent(script, ScriptLanguage.BASH))
    request = ExecuteRequest(runbook_id=str(runbook.id))
    async for answer in server.runbooks.Execute(request, metadata=team.responder.metadata, timeout=60):
        yield answer.event


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)
    writer.close()
