"""The client as other teams have it: its wheel in a clean virtual environment, against a real server."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from importlib.metadata import Distribution
from pathlib import Path

import grpc
import pytest

from kernel.execution.content import ScriptLanguage, VersionContent
from tests.builders import TeamWithPeople, an_approved_runbook
from tests.executors import an_executor, settings_of
from tests.rpc.conftest import RunningServer
from tests.rpc.cutting_proxy import a_cutting_proxy
from tests.rpc.local_servers import a_certificate

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
OUTPUT = "".join(f"line {n} ä€😀\n" for n in range(1, 101)).encode()

PROGRAM = """
import asyncio, hashlib, json, os, sys
from importlib.metadata import distributions
before = set(sys.modules)
from oncall.client import Client, TlsRefused
from oncall.v1.team_service_pb2 import GetCallerRequest
imported = {name.partition(".")[0] for name in set(sys.modules) - before}

async def main():
    token = os.environ["ONCALL_TOKEN"]
    async with Client(os.environ["ADDRESS"], token=token, retry_for=30) as client:
        caller = await client.teams.GetCaller(GetCallerRequest())
        events = [event async for event in client.execute(os.environ["RUNBOOK"])]
    async with Client(os.environ["WITH_TLS"], token=token, tls=True) as client:
        try:
            await client.teams.GetCaller(GetCallerRequest())
        except TlsRefused as error:
            refusal = str(error)
    output = b"".join(event.output.data for event in events if event.HasField("output"))
    print(json.dumps({
        "installed": [distribution.name for distribution in distributions()],
        "imported": sorted(imported - sys.stdlib_module_names),
        "caller": caller.user.id,
        "sequences": [event.sequence for event in events],
        "output": hashlib.sha256(output).hexdigest(),
        "refusal": refusal,
    }))

asyncio.run(main())
"""

TYPED = """
from oncall.client import Client
from oncall.v1.runbook_service_pb2 import GetRunbookRequest, ListRunbooksRequest

async def names(client: Client) -> list[str]:
    async for event in client.execute("id", {"host": "web-3"}):
        reveal_type(event.output.data)
    found = await client.runbooks.ListRunbooks(ListRunbooksRequest(query="x"))
    await client.runbooks.GetRunbook(ListRunbooksRequest())
    return [runbook.name for runbook in found.runbooks]
"""


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, f"{command[-3:]} failed: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(run(ROOT / "tools/build_client.sh", tmp_path_factory.mktemp("wheel")).strip())


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel, and what it asks for from the package registry."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(folder, symlinks=True)
    interpreter = folder / "bin/python"
    _install(interpreter, str(wheel))
    return interpreter


def _install(interpreter: Path, *packages: str) -> None:
    run(sys.executable, "-m", "pip", "--python", interpreter, "install", "-q", "--disable-pip-version-check", *packages)


def test_the_wheel_holds_the_client_alone_and_asks_for_two_packages(wheel: Path, tmp_path: Path) -> None:
    assert wheel.name == f"oncall-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
        archive.extractall(tmp_path)
    source = ROOT / "src/oncall"
    found = {path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert packed == {f"oncall/{path.relative_to(source)}" for path in found}
    assert "oncall/py.typed" in packed
    required = Distribution.at(tmp_path / f"oncall-{VERSION}.dist-info").requires or []
    assert sorted(name.partition(">")[0] for name in required) == ["grpcio", "protobuf"]


def test_built_again_it_is_the_same_to_the_byte(wheel: Path, tmp_path: Path) -> None:
    again = Path(run(ROOT / "tools/build_client.sh", tmp_path).strip())
    assert again.read_bytes() == wheel.read_bytes()


@pytest.fixture
async def tls_address(tmp_path: Path) -> AsyncIterator[str]:
    """A server whose certificate nobody trusts."""
    certificate, key = a_certificate(tmp_path, name="localhost", valid=timedelta(days=2))
    server = grpc.aio.server()
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    yield f"localhost:{port}"
    await server.stop(0)


async def test_from_a_clean_environment_it_follows_a_script_over_cut_connections(
    python: Path,
    running_server: RunningServer,
    team: TeamWithPeople,
    tls_address: str,
    database_url: str,
    redis_url: str,
    tmp_path: Path,
) -> None:
    script = "for n in $(seq 100); do printf 'line %s ä€😀\\n' $n; sleep 0.01; done"
    content = VersionContent(script, ScriptLanguage.BASH)
    runbook = await an_approved_runbook(running_server.sessions, team, content)
    chance = random.Random(8)  # noqa: S311 - repeatable, not secret
    budgets = (chance.randrange(500, 2500) for _ in range(8))
    async with (
        an_executor(settings_of(database_url, redis_url)),
        a_cutting_proxy(running_server.address, budgets) as proxy,
    ):
        process = await asyncio.create_subprocess_exec(
            python,
            "-c",
            PROGRAM,
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "ADDRESS": proxy.address,
                "WITH_TLS": tls_address,
                "RUNBOOK": str(runbook.id),
                "ONCALL_TOKEN": team.responder.token,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    told = json.loads(out)
    assert proxy.cuts >= 4
    assert told["caller"] == str(team.responder.id)
    assert told["sequences"] == list(range(1, len(told["sequences"]) + 1))
    assert told["output"] == hashlib.sha256(OUTPUT).hexdigest()
    assert "certificate is not trusted" in told["refusal"]
    foreign = {name for name in told["imported"] if "cython" not in name}  # what grpcio is compiled with
    assert foreign <= {"oncall", "grpc", "google", "typing_extensions"}
    assert set(told["installed"]) == {"oncall", "grpcio", "protobuf", "typing_extensions"}
    assert team.responder.token not in err.decode()


def test_mypy_of_whoever_uses_it_sees_its_types(python: Path, tmp_path: Path) -> None:
    _install(python, "types-grpcio", "types-protobuf")
    (tmp_path / "typed.py").write_text(TYPED)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--python-executable",
        python,
        "--cache-dir",
        tmp_path / "cache",
    ]
    done = subprocess.run(
        [*command, "typed.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100
    )
    lines = done.stdout.splitlines()
    assert lines[0] == 'typed.py:7: note: Revealed type is "bytes"', done.stdout + done.stderr
    assert 'has incompatible type "ListRunbooksRequest"; expected "GetRunbookRequest"' in lines[1]
    assert lines[-1].startswith("Found 1 error ")
