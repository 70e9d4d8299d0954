"""Streams that are left or cut off at any moment end nothing but themselves."""

from __future__ import annotations

import asyncio
import gc

import grpc
import pytest

from kernel.execution.content import ScriptLanguage, VersionContent
from oncall.v1.runbook_service_pb2 import ExecuteRequest, GetRunbookRequest, WatchExecutionRequest
from oncall.v1.runbook_service_pb2_grpc import RunbookServiceStub
from tests.builders import TeamWithPeople, a_team, an_approved_runbook
from tests.executors import an_executor, settings_of
from tests.rpc.conftest import RunningServer, a_server

FLOOD = VersionContent("head -c 12000000 /dev/zero", ScriptLanguage.BASH)


async def a_flood(server: RunningServer, team: TeamWithPeople) -> str:
    """Runs a script that says more than any buffer of gRPC holds; answers the execution, when it has ended."""
    runbook = str((await an_approved_runbook(server.sessions, team, FLOOD)).id)
    call = server.runbooks.Execute(ExecuteRequest(runbook_id=runbook), metadata=team.responder.metadata)
    events = [answer.event async for answer in call]
    assert events[-1].execution.stdout_size == 12_000_000
    return events[-1].execution.id


@pytest.mark.parametrize("how", ["the call is cancelled", "the connection is closed"])
async def test_whoever_leaves_while_an_event_waits_for_a_reader_disturbs_nobody(
    database_url: str, redis_url: str, how: str
) -> None:
    async with a_server(database_url, redis_url) as server, an_executor(settings_of(database_url, redis_url)):
        team = await a_team(server.sessions)
        execution = await a_flood(server, team)

        async def read_one_and_leave() -> None:
            async with grpc.aio.insecure_channel(server.address) as channel:
                request = WatchExecutionRequest(execution_id=execution)
                watch = RunbookServiceStub(channel).WatchExecution(request, metadata=team.responder.metadata)
                await anext(aiter(watch))
                if how == "the call is cancelled":
                    watch.cancel()

        await asyncio.gather(*(read_one_and_leave() for _ in range(20)))
        gc.collect()

        request = GetRunbookRequest(runbook_id="00000000-0000-7000-8000-000000000000")
        with pytest.raises(grpc.aio.AioRpcError) as answered:
            await server.runbooks.GetRunbook(request, metadata=team.responder.metadata)
        assert answered.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_server_that_stops_while_an_event_waits_for_a_reader_stops(database_url: str, redis_url: str) -> None:
    for _ in range(3):
        async with a_server(database_url, redis_url) as server, an_executor(settings_of(database_url, redis_url)):
            team = await a_team(server.sessions)
            execution = await a_flood(server, team)
            channels = [grpc.aio.insecure_channel(server.address) for _ in range(5)]
            for channel in channels:
                request = WatchExecutionRequest(execution_id=execution)
                watch = RunbookServiceStub(channel).WatchExecution(request, metadata=team.responder.metadata)
                await anext(aiter(watch))
        for channel in channels:
            await channel.close()
        del server
        gc.collect()  # what was parked is finalised now, in a task of its own, when gRPC has let its call go
        await asyncio.sleep(0)
