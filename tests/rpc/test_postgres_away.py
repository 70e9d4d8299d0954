"""PostgreSQL may be killed and come back: until then every call says so and when to try again, and then all is well."""

from __future__ import annotations

import asyncio

import grpc

from cli.launcher.embedded_postgres import EmbeddedPostgres
from oncall.client import Client
from oncall.v1 import execution_pb2, team_service_pb2
from oncall.v1 import runbook_service_pb2 as pb
from tests.builders import TeamWithPeople, a_team
from tests.conftest import killed
from tests.rpc.conftest import RunningServer, a_server, refusal_of, stream_refusal_of
from tests.rpc.watched import Watched, a_watched_execution


async def test_while_postgresql_is_away_every_call_is_told_to_try_again(
    own_postgres: EmbeddedPostgres, redis_url: str
) -> None:
    async with a_server(own_postgres.url, redis_url) as server:
        team = await a_team(server.sessions)
        watched = await a_watched_execution(server, team)
        await asyncio.to_thread(killed, own_postgres)
        metadata = team.author.metadata
        for refused in (
            await refusal_of(server.teams.GetCaller(team_service_pb2.GetCallerRequest(), metadata=metadata)),
            await refusal_of(
                server.runbooks.CancelExecution(
                    pb.CancelExecutionRequest(execution_id=watched.id), metadata=team.responder.metadata
                )
            ),
            await stream_refusal_of(server.runbooks.Execute(pb.ExecuteRequest(), metadata=team.responder.metadata)),
            await stream_refusal_of(watched.watch()),
        ):
            assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
            assert refused.retries_after == 1.0


async def test_when_postgresql_is_back_the_first_calls_succeed(own_postgres: EmbeddedPostgres, redis_url: str) -> None:
    async with a_server(own_postgres.url, redis_url) as server:
        team = await a_team(server.sessions)
        await asyncio.gather(*(_a_call(server, team) for _ in range(8)))  # so that the pool holds some connections
        killed(own_postgres)
        own_postgres.start()
        await asyncio.sleep(0)
        await asyncio.gather(*(_a_call(server, team) for _ in range(8)))


async def test_a_watcher_outlives_a_postgresql_that_goes_and_comes_back(
    own_postgres: EmbeddedPostgres, redis_url: str
) -> None:
    async with a_server(own_postgres.url, redis_url) as server:
        team = await a_team(server.sessions)
        watched = await a_watched_execution(server, team)
        async with Client(server.address, token=team.observer.token) as client:
            watching = asyncio.create_task(_sequences(client, watched))
            await watched.being_watched()
            await watched.executor.claim()
            await asyncio.to_thread(killed, own_postgres)
            await asyncio.to_thread(own_postgres.start)
            await watched.executor.say(b"when it is back")
            await watched.executor.finish()
            assert await watching == [1, 2, 3, 4]


async def _sequences(client: Client, watched: Watched) -> list[int]:
    events: list[execution_pb2.ExecutionEvent] = [event async for event in client.watch(watched.id)]
    return [event.sequence for event in events]


async def _a_call(server: RunningServer, team: TeamWithPeople) -> None:
    await server.teams.GetCaller(team_service_pb2.GetCallerRequest(), metadata=team.author.metadata)
