"""The gateway's channel to the server over TLS: what it shows, whom it trusts, and that both may change under way."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthServicer, HealthStub, add_HealthServicer_to_server

from gateway.keep.calls import PartnerCalls, ServerAway
from gateway.server_client import connect
from gateway.server_tls import open_server_tls, renewed_channel
from server.tls import ServerTls
from tests.builders import a_person, a_team
from tests.certificates import Authority
from tests.integration.test_gateway import a_gateway
from tests.rpc.conftest import RunningServer, a_server
from tests.status_pages import StatusPageDesk
from tests.waiting import eventually

SECONDS = 20


class _WhoCalls(HealthServicer):
    """A health service that remembers whom its callers' certificates name."""

    def __init__(self) -> None:
        self.names: list[str] = []

    async def Check(self, _: HealthCheckRequest, context: grpc.aio.ServicerContext) -> HealthCheckResponse:  # noqa: N802
        self.names += [name.decode() for name in context.auth_context()["x509_common_name"]]
        return HealthCheckResponse(status=HealthCheckResponse.SERVING)

    async def Watch(  # noqa: N802
        self, _: HealthCheckRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[HealthCheckResponse]:
        while True:
            yield HealthCheckResponse(status=HealthCheckResponse.SERVING)
            await asyncio.sleep(0.05)


@asynccontextmanager
async def a_health_server(authority: Authority) -> AsyncIterator[tuple[str, _WhoCalls]]:
    """Yields its address, where a certificate of the authority is asked for."""
    pair = authority.server("server")
    server, health = grpc.aio.server(), _WhoCalls()
    add_HealthServicer_to_server(health, server)  # type: ignore[no-untyped-call]
    port, _ = ServerTls(pair.certificate, pair.key, authority.file).add_ports(server, "127.0.0.1:0", None)
    await server.start()
    try:
        yield f"127.0.0.1:{port}", health
    finally:
        await server.stop(0)


async def test_a_new_certificate_is_shown_and_streams_that_are_open_go_on(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.client("first", file="gateway")
    tls = open_server_tls(authority.file, pair.certificate, pair.key)
    async with a_health_server(authority) as (address, health):

        def secure(credentials: grpc.ChannelCredentials) -> grpc.aio.Channel:
            return grpc.aio.secure_channel(address, credentials)

        async with renewed_channel(tls, secure, look_seconds=0.05) as channel:
            stub = HealthStub(channel)

            async def shows(name: str) -> bool:
                await stub.Check(HealthCheckRequest(), timeout=SECONDS)
                return health.names[-1] == name

            assert await shows("first")
            stream = stub.Watch(HealthCheckRequest(), timeout=SECONDS)
            assert (await stream.read()).status == HealthCheckResponse.SERVING
            authority.client("second", file="gateway")
            await eventually(lambda: shows("second"))
            assert (await stream.read()).status == HealthCheckResponse.SERVING
            assert len(channel._retiring) == 1  # type: ignore[attr-defined]
            stream.cancel()

            async def is_closed() -> bool:
                return not channel._retiring  # type: ignore[attr-defined]

            await eventually(is_closed)
            assert await shows("second")


@pytest.mark.parametrize(
    ("trusts_the_server", "shows", "said"),
    [
        (False, True, r"is not trusted: give the certificates of who signed it as ONCALL_GATEWAY_SERVER_CA"),
        (True, False, r"does the server want TLS, or a client certificate of its authority\?"),
    ],
)
async def test_what_is_wrong_is_said_as_the_server_being_away(
    tmp_path: Path, trusts_the_server: bool, shows: bool, said: str
) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    pair = authority.client("gateway") if shows else None
    trusted = (authority if trusts_the_server else stranger).file
    tls = open_server_tls(trusted, pair.certificate if pair else None, pair.key if pair else None)
    async with a_health_server(authority) as (address, _), connect(address, tls) as channel:
        calls = PartnerCalls(channel, "oct_x")
        with pytest.raises(ServerAway, match=said):
            await calls.renew("watch", [], seconds=SECONDS)
        assert not await calls.is_reachable()


@pytest.fixture
async def with_tls(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[tuple[RunningServer, Authority]]:
    authority = Authority(tmp_path)
    pair = authority.server("first", file="server")
    async with a_server(
        database_url,
        redis_url,
        server_tls_certificate=pair.certificate,
        server_tls_key=pair.key,
        server_tls_client_ca=authority.file,
    ) as server:
        yield server, authority


async def test_pages_are_served_over_new_certificates_and_stale_where_the_server_is_not_trusted(
    with_tls: tuple[RunningServer, Authority], tmp_path: Path
) -> None:
    server, authority = with_tls
    account = await a_person(server.sessions, service_account="gateway")
    pair, trusted = authority.client("gateway"), tmp_path / "trusted.pem"
    shutil.copy(authority.file, trusted)
    certificate, key = pair.as_bytes
    credentials = grpc.ssl_channel_credentials(authority.pem, key, certificate)
    more = {
        "ONCALL_GATEWAY_SERVER_CA": trusted,
        "ONCALL_GATEWAY_CLIENT_CERTIFICATE": pair.certificate,
        "ONCALL_GATEWAY_CLIENT_KEY": pair.key,
    }
    async with (
        grpc.aio.secure_channel(server.address, credentials) as channel,
        a_gateway(tmp_path, server.address, account.token, **more) as gateway,
    ):
        desk = StatusPageDesk(channel, server.sessions, await a_team(server.sessions), account)
        page = await desk.a_page(slug="acme")
        partner = await desk.a_partner(page)

        def reloads() -> int:
            return gateway.log.read_text().count("tls_certificate_reloaded")

        async def reloaded(times: int) -> None:
            async def so_often() -> bool:
                return reloads() >= times

            await eventually(so_often, within=30)

        assert (await gateway.get("acme", partner.token)).status_code == 200
        authority.server("second", file="server")
        assert server.platform.tls is not None
        server.platform.tls.reload()
        authority.client("gateway")
        await reloaded(1)
        stranger = await desk.a_partner(page)  # whom the gateway does not know: it has to ask
        answer = await gateway.get("acme", stranger.token)
        assert (answer.status_code, answer.headers.get("oncall-stale-since")) == (200, None)
        assert "watch_lost" not in gateway.log.read_text(), "the watch went on over the old connection"

        shutil.copy(Authority(tmp_path, "stranger").file, trusted)
        await reloaded(2)

        async def is_stale() -> bool:
            answer = await gateway.get("acme", partner.token)
            assert answer.status_code == 200
            return "oncall-stale-since" in answer.headers

        await eventually(is_stale, within=30)
        asked = time.monotonic()
        assert (await gateway.get("acme", "ocp_never-seen-by-this-gateway-before")).status_code == 503
        assert time.monotonic() - asked < 15

        async def says_why() -> bool:
            said = "is not trusted: give the certificates of who signed it as ONCALL_GATEWAY_SERVER_CA"
            return said in gateway.log.read_text()

        await eventually(says_why, within=30)
        log = gateway.log.read_text()
        assert "Traceback" not in log
        assert "PRIVATE KEY" not in log

        shutil.copy(authority.file, trusted)

        async def is_fresh() -> bool:
            return "oncall-stale-since" not in (await gateway.get("acme", partner.token)).headers

        await eventually(is_fresh, within=30)
