"""A real server in this process, a real channel to it, and a database that tests can look into."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from pydantic import SecretStr
from sqlalchemy import select

from kernel.database import Sessions, create_engine, sessions
from kernel.tables import audit_events, audit_unsealed, metadata
from oncall.v1 import runbook_service_pb2_grpc, secret_service_pb2_grpc, team_service_pb2_grpc
from server.settings import ServerSettings
from server.wiring import Platform, build
from tests.builders import MASTER_KEY, TeamWithPeople, a_person, a_team
from tests.status_pages import StatusPageDesk

CALL_SECONDS = 60


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server on a port of its own, and what a test does with it."""

    platform: Platform
    address: str
    channel: grpc.aio.Channel
    sessions: Sessions
    settings: ServerSettings

    @property
    def runbooks(self) -> runbook_service_pb2_grpc.RunbookServiceAsyncStub:
        return runbook_service_pb2_grpc.RunbookServiceStub(self.channel)

    @property
    def teams(self) -> team_service_pb2_grpc.TeamServiceAsyncStub:
        return team_service_pb2_grpc.TeamServiceStub(self.channel)

    @property
    def secrets(self) -> secret_service_pb2_grpc.SecretServiceAsyncStub:
        return secret_service_pb2_grpc.SecretServiceStub(self.channel)

    async def everything_stored(self) -> dict[str, list[tuple[Any, ...]]]:
        """Answers all rows of all tables, to be compared with themselves later; but not what denials leave behind."""
        done = {audit_events: select(audit_events).where(audit_events.c.outcome == "DONE")}
        async with self.sessions() as session:
            return {
                table.name: sorted(
                    (tuple(row) for row in await session.execute(done.get(table, select(table)))),
                    key=lambda row: str(row),
                )
                for table in metadata.sorted_tables
                if table is not audit_unsealed
            }


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a call was refused."""

    code: grpc.StatusCode
    reason: str
    fields: tuple[str, ...] = ()
    message: str = field(default="", compare=False)
    metadata: dict[str, str] = field(default_factory=dict, compare=False)
    retries_after: float | None = field(default=None, compare=False)


async def refusal_of(call: Awaitable[Any]) -> Refusal:
    """Answers how a unary call is refused; fails the test where it is not."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return as_refusal(error)
    raise AssertionError("the call was not refused")


async def stream_refusal_of(stream: Any) -> Refusal:
    """As `refusal_of`, for a stream, whatever it answers before."""

    async def drain() -> None:
        async for _ in stream:
            pass

    return await refusal_of(drain())


def as_refusal(error: grpc.aio.AioRpcError) -> Refusal:
    trailing = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])  # type: ignore[arg-type]
    assert (status.code, status.message) == (error.code().value[0], error.details())
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    retries_after = None
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
        if detail.Unpack(retry):
            retries_after = retry.retry_delay.ToTimedelta().total_seconds()
    assert info.domain == "oncall"
    fields = tuple(violation.field for violation in bad.field_violations)
    return Refusal(error.code(), info.reason, fields, status.message, dict(info.metadata), retries_after)


@asynccontextmanager
async def a_server(
    database_url: str, redis_url: str, *, issuers_file: Path | None = None, **more: Any
) -> AsyncIterator[RunningServer]:
    """Runs a server until the end of the block; `more` are settings, with those of TLS its channel is of no use."""
    settings = ServerSettings(
        database_url=SecretStr(database_url),
        redis_url=SecretStr(redis_url),
        master_key=SecretStr(MASTER_KEY),
        issuers_file=issuers_file,
        **more,
    )
    platform = build(settings)
    port = await platform.start("127.0.0.1:0", settings.server_gateway_listen)
    address = f"127.0.0.1:{port}"
    engine = create_engine(database_url, pool_size=3)
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            yield RunningServer(platform, address, channel, sessions(engine), settings)
    finally:
        await engine.dispose()
        await platform.stop(grace=1.0)


@pytest.fixture
async def running_server(database_url: str, redis_url: str) -> AsyncIterator[RunningServer]:
    async with a_server(database_url, redis_url) as server:
        yield server


@pytest.fixture
async def team(running_server: RunningServer) -> TeamWithPeople:
    return await a_team(running_server.sessions)


@pytest.fixture
async def desk(running_server: RunningServer, team: TeamWithPeople) -> StatusPageDesk:
    gateway = await a_person(running_server.sessions, service_account="gateway")
    return StatusPageDesk(running_server.channel, running_server.sessions, team, gateway)
