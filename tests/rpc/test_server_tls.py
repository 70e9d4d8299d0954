"""The server's own TLS, by real handshakes: which versions, whose certificates, and new ones under open streams."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from kernel.certificate_files import UnusableFiles
from oncall.client import Client, OncallError
from oncall.v1.team_service_pb2 import GetCallerRequest
from tests.builders import a_person
from tests.certificates import Authority, Pair, agreed_version, shown_name
from tests.rpc.conftest import CALL_SECONDS, RunningServer, a_server
from tests.rpc.shell import Shell
from tests.rpc.test_processes import _run, environment_of

UNKNOWN = "oct_unknown"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def with_tls(database_url: str, redis_url: str, authority: Authority) -> AsyncIterator[RunningServer]:
    """A server for people, who need no certificate, and for gateways, who do."""
    pair = authority.server("first", file="server")
    async with a_server(
        database_url,
        redis_url,
        server_tls_certificate=pair.certificate,
        server_tls_key=pair.key,
        server_tls_client_ca=authority.file,
        server_gateway_listen="127.0.0.1:0",
    ) as server:
        yield server


def port_of(server: RunningServer) -> int:
    return int(server.address.rpartition(":")[2])


def a_client(port: int, authority: Authority, pair: Pair | None = None, token: str = UNKNOWN) -> Client:
    certificate, key = pair.as_bytes if pair else (None, None)
    return Client(
        f"localhost:{port}",
        token=token,
        root_certificates=authority.pem,
        client_certificate=certificate,
        client_key=key,
        retry_for=0,
    )


async def test_tls_before_1_2_is_refused(with_tls: RunningServer) -> None:
    port = port_of(with_tls)
    for version, agreed in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
        assert await asyncio.to_thread(agreed_version, port, version) == agreed
    with pytest.warns(DeprecationWarning, match="TLSv1_1"), pytest.raises(OSError):  # noqa: PT011 - it hangs up
        await asyncio.to_thread(agreed_version, port, ssl.TLSVersion.TLSv1_1)


async def test_a_token_is_what_counts_and_clear_text_is_not_answered(
    with_tls: RunningServer, authority: Authority
) -> None:
    person = await a_person(with_tls.sessions)
    async with a_client(port_of(with_tls), authority, token=person.token) as client:
        assert (await client.teams.GetCaller(GetCallerRequest())).user.id == str(person.id)
    async with Client(with_tls.address, token=person.token, retry_for=0) as client:
        with pytest.raises(OncallError, match="does the server want TLS"):
            await client.teams.GetCaller(GetCallerRequest())


async def test_gateways_show_a_certificate_which_grants_nothing(
    with_tls: RunningServer, authority: Authority, tmp_path: Path
) -> None:
    port = with_tls.platform.gateway_port
    stranger = Authority(tmp_path, "stranger")
    refused = {
        "none": None,
        "of another authority": stranger.client("stranger-client"),
        "expired": authority.client("late", valid=timedelta(minutes=-1)),
        "of a server": authority.server("server-as-client"),
    }
    for what, pair in refused.items():
        async with a_client(port, authority, pair) as client:
            with pytest.raises(OncallError, match="client certificate of its authority") as failed:
                await client.teams.GetCaller(GetCallerRequest())
            assert failed.value.code is grpc.StatusCode.UNAVAILABLE, what
    async with a_client(port, authority, authority.client("gateway")) as client:
        with pytest.raises(OncallError) as failed:
            await client.teams.GetCaller(GetCallerRequest())
    assert failed.value.code is grpc.StatusCode.UNAUTHENTICATED, "the connection stands, and the token is bad"


async def test_with_one_address_everybody_shows_a_certificate(
    database_url: str, redis_url: str, authority: Authority
) -> None:
    pair = authority.server("server")
    files = {"server_tls_certificate": pair.certificate, "server_tls_key": pair.key}
    async with a_server(database_url, redis_url, **files, server_tls_client_ca=authority.file) as server:
        port = port_of(server)
        assert await asyncio.to_thread(shown_name, port, authority.client("client")) == "server"
        async with a_client(port, authority) as client:
            with pytest.raises(OncallError, match="client certificate"):
                await client.teams.GetCaller(GetCallerRequest())


async def test_new_files_count_from_the_next_handshake_on_and_open_streams_stay(
    with_tls: RunningServer, authority: Authority, tmp_path: Path
) -> None:
    tls, health, port = with_tls.platform.tls, with_tls.platform.health, with_tls.platform.gateway_port
    assert tls is not None
    client = authority.client("gateway")
    certificate, key = client.as_bytes
    credentials = grpc.ssl_channel_credentials(authority.pem, key, certificate)
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        stream = HealthStub(channel).Watch(HealthCheckRequest(service="rotating"), timeout=CALL_SECONDS)
        assert (await stream.read()).status == HealthCheckResponse.SERVICE_UNKNOWN

        new = authority.server("second", file="server")
        assert tls.reload() is True
        for at in (port, port_of(with_tls)):
            assert await asyncio.to_thread(shown_name, at, client) == "second"
        new.key.write_text("nonsense")
        with pytest.raises(UnusableFiles, match="no PEM key"):
            tls.reload()
        authority.server("late", valid=timedelta(minutes=-1), file="server")
        for _ in range(2):  # again and again, for what is wrong may pass without a change of the files
            with pytest.raises(UnusableFiles, match="expired"):
                tls.reload()
        assert await asyncio.to_thread(shown_name, port, client) == "second"

        authority.server("third", file="server")
        stranger = Authority(tmp_path, "stranger")
        stranger.file.replace(authority.file)
        assert [tls.reload(), tls.reload()] == [True, False]
        assert await asyncio.to_thread(shown_name, port, stranger.client("new-gateway")) == "third"
        with pytest.raises(OSError):  # noqa: PT011 - its authority is no longer among those of clients
            await asyncio.to_thread(shown_name, port, client)

        await health.set("rotating", HealthCheckResponse.SERVING)
        assert (await stream.read()).status == HealthCheckResponse.SERVING, "nobody who was in was thrown out"
        stream.cancel()


async def test_a_pair_that_cannot_be_used_ends_the_process_with_one_sentence(
    tmp_path: Path, authority: Authority
) -> None:
    pair = authority.server("server", valid=timedelta(minutes=-1))
    environment = environment_of(f"postgresql://nobody@/none?host={tmp_path}", f"unix://{tmp_path}/none", tmp_path)
    environment["ONCALL_SERVER_TLS_CERTIFICATE"] = str(pair.certificate)
    environment["ONCALL_SERVER_TLS_KEY"] = str(pair.key)
    code, _, printed = await _run(environment, "server")
    assert (code, printed.count("\n")) == (2, 1), printed
    assert printed.startswith(f"cannot start: TLS: {pair.certificate} expired at ")


async def test_the_command_connects_and_says_which_file_is_wrong(
    with_tls: RunningServer, authority: Authority, tmp_path: Path
) -> None:
    person = await a_person(with_tls.sessions)
    home, stranger, pair = tmp_path / "home", Authority(tmp_path, "stranger"), authority.client("client")
    shell = Shell(home, with_tls.address)
    assert (await shell("login", "--ca-file", str(authority.file), stdin=person.token)).code == 0
    assert (await shell("whoami")).code == 0, "what to trust is stored with the token"
    trusting = {"ONCALL_CA_FILE": str(authority.file)}
    assert (await Shell(home, with_tls.address, person, **trusting)("whoami")).code == 0
    refused = await Shell(home, with_tls.address, person, ONCALL_CA_FILE=str(stranger.file))("whoami")
    assert refused.code == 3
    assert "is not trusted: give the certificates of who signed it as --ca-file or ONCALL_CA_FILE" in refused.err
    assert "Traceback" not in refused.err

    gateways = f"127.0.0.1:{with_tls.platform.gateway_port}"
    files = {"ONCALL_CLIENT_CERTIFICATE": str(pair.certificate), "ONCALL_CLIENT_KEY": str(pair.key)}
    assert (await Shell(home, gateways, person, **trusting, **files)("whoami")).code == 0
    files["ONCALL_CLIENT_KEY"] = str(authority.file)
    wrong = await Shell(home, gateways, person, **trusting, **files)("whoami")
    assert wrong.code == 2
    assert "they are no PEM certificate and its key" in wrong.err
