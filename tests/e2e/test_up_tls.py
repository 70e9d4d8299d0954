"""What `oncall up --tls --demo` serves, to whom, and what is still there when the server is gone."""

from __future__ import annotations

import asyncio
import re
import ssl
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from oncall.client import Client, OncallError
from oncall.v1.team_service_pb2 import GetCallerRequest
from oncall.v1.team_service_pb2_grpc import TeamServiceStub
from tests.certificates import shown_name
from tests.e2e.demo_calls import metadata_of
from tests.e2e.launched import Launched


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    launched = Launched(tmp_path_factory.mktemp("tls") / "data", "--demo", "--tls")
    try:
        launched.wait_until_it_serves()
        yield launched
    finally:
        launched.close()


def _get(stack: Launched, headers: dict[str, str] | None = None) -> httpx.Response:
    """Asks for the demo's page as its partner, trusting the installation's authority and nobody else."""
    demo = stack.demo()
    headers = {"Authorization": f"Bearer {demo['status_page']['partner_token']}", **(headers or {})}
    trusting = ssl.create_default_context(cafile=demo["ca_file"])
    url = f"{demo['gateway']}/status/{demo['status_page']['slug']}"
    return httpx.get(url, headers=headers, verify=trusting, timeout=20)


def test_the_page_comes_over_https_only_and_browsers_are_told_to_stay_there(stack: Launched) -> None:
    demo = stack.demo()
    assert demo["gateway"].startswith("https://127.0.0.1:")
    answer = _get(stack)
    assert (answer.status_code, answer.headers["strict-transport-security"]) == (200, "max-age=31536000")
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        httpx.get(demo["gateway"])
    with pytest.raises(httpx.HTTPError):
        httpx.get(demo["gateway"].replace("https", "http"))


def test_the_command_runs_a_runbook_as_it_is_told_at_the_end_of_the_demo(stack: Launched, tmp_path: Path) -> None:
    told = re.search(r"\(\. (\S+/author\.env) && (\S+) run disk-forecast -p used_percent=94\)", stack.output)
    assert told, stack.output
    script = f". {told[1]} && exec {told[2]} run disk-forecast -p used_percent=94"
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert "full in 4 days" in done.stdout, done.stderr
    for command in re.findall(r"^  (curl .*)$", stack.output, flags=re.MULTILINE):
        if "partner.header" in command:
            got = subprocess.run(["sh", "-c", f"{command} -sS"], capture_output=True, text=True, check=False)
            assert '"components"' in got.stdout, got.stderr


async def test_a_client_of_grpc_needs_the_authority_and_nothing_else(stack: Launched) -> None:
    demo = stack.demo()
    roots = await asyncio.to_thread(Path(demo["ca_file"]).read_bytes)
    for host in ("127.0.0.1", "localhost"):
        address = f"{host}:{demo['server'].rpartition(':')[2]}"
        async with grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(roots)) as channel:
            caller = await TeamServiceStub(channel).GetCaller(
                GetCallerRequest(), metadata=metadata_of(demo, "author"), timeout=20
            )
            assert caller.user.display_name == "Ada Author"
    async with Client(demo["server"], token=demo["tokens"]["author"], retry_for=0) as client:
        with pytest.raises(OncallError, match="does the server want TLS"):
            await client.teams.GetCaller(GetCallerRequest())


def test_the_gateway_calls_where_nobody_gets_in_without_a_certificate(stack: Launched) -> None:
    listening = {c.laddr.port for c in stack.program("server").net_connections(kind="tcp") if c.status == "LISTEN"}
    (port,) = listening - {int(stack.demo()["server"].rpartition(":")[2])}
    peers = {c.raddr.port for c in stack.program("gateway").net_connections(kind="tcp") if c.raddr}
    assert port in peers
    with pytest.raises(OncallError, match="client certificate"):
        asyncio.run(_call(stack, f"127.0.0.1:{port}"))
    assert shown_name(int(stack.demo()["server"].rpartition(":")[2])) == "oncall server"


async def _call(stack: Launched, address: str) -> None:
    demo = stack.demo()
    roots = await asyncio.to_thread(Path(demo["ca_file"]).read_bytes)
    token = demo["tokens"]["author"]
    async with Client(address, token=token, root_certificates=roots, retry_for=0) as client:
        await client.teams.GetCaller(GetCallerRequest())


def test_no_key_is_on_a_command_line_in_an_environment_or_in_a_log(stack: Launched) -> None:
    keys = list((stack.data / "tls").glob("*.key"))
    assert {key.name for key in keys} == {"ca.key", "server.key", "gateway.key", "gateway-client.key"}
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    secrets = [key.read_text().splitlines()[1] for key in keys]
    shown = "\n".join(" ".join([*p.cmdline(), *p.environ().values()]) for p in stack.processes())
    logged = "\n".join(log.read_text() for log in (stack.data / "logs").iterdir()) + stack.output
    assert not [secret[:6] for secret in secrets if secret in shown or secret in logged]


def test_a_gateway_that_starts_while_the_server_is_gone_shows_the_page_with_its_age(stack: Launched) -> None:
    assert "oncall-stale-since" not in _get(stack).headers
    kept = stack.data / "gateway"
    server, gateway = stack.program("server"), stack.program("gateway")
    _until(lambda: any(b"Checkout" in file.read_bytes() for file in kept.glob("kept.sqlite3*")))
    server.suspend()  # so that nobody starts it again
    try:
        gateway.kill()
        _until(lambda: "gateway runs again" in stack.output)
        answer = _get(stack, {"Accept": "application/json"})
        assert answer.status_code == 200
        assert answer.headers["oncall-stale-since"]
        assert "Checkout" in [component["name"] for component in answer.json()["components"]]
        refused = _get(stack, {"Authorization": "Bearer ocp_nobody-was-ever-given-this-one-here"})
        assert refused.status_code == 503
    finally:
        server.resume()
    _until(lambda: "oncall-stale-since" not in _get(stack).headers)


def _until(happened: Callable[[], bool], within: float = 60.0) -> None:
    deadline = time.monotonic() + within
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_server_that_crashed_is_back_where_the_gateway_looks_for_it(stack: Launched) -> None:
    stack.program("server").kill()
    _until(lambda: "server runs again" in stack.output)
    trusting = ssl.create_default_context(cafile=stack.demo()["ca_file"])
    ready = f"{stack.demo()['gateway']}/readyz"
    _until(lambda: httpx.get(ready, verify=trusting, timeout=20).status_code == 200)
