"""What the asyncio client repeats by itself and what it never does, and how it says that TLS is what is wrong."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from oncall.client import Client, OncallError, TlsRefused
from oncall.v1.runbook_pb2 import SCRIPT_LANGUAGE_BASH, Runbook, RunbookVersion
from oncall.v1.runbook_service_pb2 import (
    ArchiveRunbookRequest,
    CreateRunbookRequest,
    CreateRunbookVersionRequest,
    ListRunbooksRequest,
    ListRunbookVersionsRequest,
)
from oncall.v1.team_service_pb2 import GetCallerRequest
from tests.builders import TeamWithPeople, a_draft_runbook
from tests.rpc.conftest import RunningServer
from tests.rpc.cutting_proxy import a_cutting_proxy
from tests.rpc.local_servers import a_certificate

VERSION = RunbookVersion(script="echo\n", language=SCRIPT_LANGUAGE_BASH)


async def test_what_is_created_over_connections_cut_at_random_is_created_once(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    chance = random.Random(6)  # noqa: S311 - repeatable, not secret
    budgets = (chance.randrange(200, 700) for _ in range(7))
    names = [f"made-{number}" for number in range(4)]
    async with (
        a_cutting_proxy(running_server.address, budgets) as proxy,
        Client(proxy.address, token=team.author.token, retry_for=60) as client,
    ):
        for name in names:
            new = Runbook(team_id=str(team.id), name=name)
            await client.runbooks.CreateRunbook(CreateRunbookRequest(runbook=new, version=VERSION))
        listed = await client.runbooks.ListRunbooks(ListRunbooksRequest())
    assert proxy.cuts >= 5
    assert sorted(runbook.name for runbook in listed.runbooks) == sorted(names)


async def test_the_same_message_sent_twice_means_two_things(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbook = await a_draft_runbook(running_server.sessions, team)
    request = CreateRunbookVersionRequest(runbook_id=str(runbook.id), version=VERSION)
    before = CreateRunbookVersionRequest.FromString(request.SerializeToString())
    async with Client(running_server.address, token=team.author.token) as client:
        for _ in range(2):
            await client.runbooks.CreateRunbookVersion(request)
        listed = await client.runbooks.ListRunbookVersions(ListRunbookVersionsRequest(runbook_id=str(runbook.id)))
    assert [version.version for version in listed.versions] == [3, 2, 1]
    assert request == before


async def test_a_read_waits_for_a_server_that_comes_back(
    running_server: RunningServer, team: TeamWithPeople, unused_tcp_port: int
) -> None:
    async with (
        a_cutting_proxy(f"127.0.0.1:{unused_tcp_port}", iter(())) as proxy,
        Client(proxy.address, token=team.author.token) as client,
    ):
        asked = asyncio.ensure_future(client.teams.GetCaller(GetCallerRequest()))
        await asyncio.wait([asked], timeout=0.3)
        assert not asked.done()
        proxy.upstream = running_server.address
        assert (await asked).user.id == str(team.author.id)


@pytest.mark.parametrize(
    ("retry_for", "call"),
    [
        pytest.param(60, lambda c: c.runbooks.ArchiveRunbook(ArchiveRunbookRequest()), id="not safe to repeat"),
        pytest.param(60, lambda c: c.teams.GetCaller(GetCallerRequest(), timeout=0.3), id="past its timeout"),
        pytest.param(0, lambda c: c.teams.GetCaller(GetCallerRequest()), id="told never to repeat"),
    ],
)
async def test_it_gives_up_in_time(
    unused_tcp_port: int, retry_for: float, call: Callable[[Client], Awaitable[object]]
) -> None:
    started = time.monotonic()
    async with Client(f"127.0.0.1:{unused_tcp_port}", token="oct_x", retry_for=retry_for) as client:
        with pytest.raises(OncallError) as lost:
            await call(client)
    assert lost.value.code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
    assert time.monotonic() - started < 30  # half of what a call that may be repeated has


@pytest.mark.parametrize(
    ("served", "trusted", "said"),
    [
        ("localhost", None, "is not trusted: give the certificates"),
        ("localhost", "other.test", "is not trusted: give the certificates"),
        ("other.test", "other.test", "is for another name"),
        ("late.test", "late.test", "has expired"),
        (None, "localhost", "does not speak TLS"),
    ],
)
async def test_a_refusal_by_tls_is_told_at_once_and_in_words(
    tmp_path: Path, served: str | None, trusted: str | None, said: str
) -> None:
    validity = {"localhost": 2, "other.test": 2, "late.test": -1}
    made = {name: a_certificate(tmp_path, name=name, valid=timedelta(days=days)) for name, days in validity.items()}
    roots = made[trusted][0].read_bytes() if trusted else None
    async with a_grpc_server(made[served] if served else None) as port:
        client = Client(f"localhost:{port}", token="oct_x", tls=True, root_certificates=roots)
        async with client:
            async with asyncio.timeout(10):
                with pytest.raises(TlsRefused, match=said):
                    await client.teams.GetCaller(GetCallerRequest())
                with pytest.raises(TlsRefused, match=said):
                    _ = [event async for event in client.execute("0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e")]


async def test_with_the_right_certificate_it_gets_through_and_without_tls_it_is_asked(tmp_path: Path) -> None:
    files = a_certificate(tmp_path, name="localhost", valid=timedelta(days=2))
    async with a_grpc_server(files) as port:
        async with Client(f"localhost:{port}", token="oct_x", root_certificates=files[0].read_bytes()) as client:
            with pytest.raises(OncallError) as answered:
                await client.teams.GetCaller(GetCallerRequest())
        async with Client(f"localhost:{port}", token="oct_x", retry_for=0) as client:
            with pytest.raises(OncallError, match=r"does the server want TLS, or a client certificate"):
                await client.teams.GetCaller(GetCallerRequest())
    assert answered.value.code is grpc.StatusCode.UNIMPLEMENTED, "this server has no services"


@asynccontextmanager
async def a_grpc_server(certificate_and_key: tuple[Path, Path] | None) -> AsyncIterator[int]:
    """Yields the port of a server without services, with TLS if it has a certificate."""
    server = grpc.aio.server()
    if certificate_and_key:
        certificate, key = (path.read_bytes() for path in certificate_and_key)
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)
