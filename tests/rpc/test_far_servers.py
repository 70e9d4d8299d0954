"""A server that is far away, or busy, is connected to at the first attempt: who may not repeat a call has no second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from gateway.server_client import connect
from oncall.client import Client
from oncall.v1.team_service_pb2 import GetCallerRequest
from tests.builders import TeamWithPeople
from tests.rpc.conftest import CALL_SECONDS, RunningServer

ONE_WAY_SECONDS = 0.4


@asynccontextmanager
async def a_long_way(address: str) -> AsyncIterator[str]:
    """Yields an address from where all that goes to `address` and back takes that long, each way."""
    host, _, port = address.rpartition(":")
    tasks: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                await asyncio.sleep(ONE_WAY_SECONDS)
                writer.write(data)
                await writer.drain()
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(port))
        tasks.update(asyncio.create_task(way) for way in (carry(reader, back), carry(there, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as listening:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    await asyncio.wait(tasks)


async def test_a_client_that_repeats_nothing_reaches_it(running_server: RunningServer, team: TeamWithPeople) -> None:
    async with (
        a_long_way(running_server.address) as address,
        Client(address, token=team.author.token, retry_for=0) as client,
    ):
        answer = await client.teams.GetCaller(GetCallerRequest(), timeout=CALL_SECONDS)
    assert answer.user.id == str(team.author.id)


async def test_a_gateway_reaches_it(running_server: RunningServer) -> None:
    async with a_long_way(running_server.address) as address, connect(address) as channel:
        answer = await HealthStub(channel).Check(HealthCheckRequest(), timeout=CALL_SECONDS)
    assert answer.status == HealthCheckResponse.SERVING
