"""The server's processes, started as they are in production: ready files, one-sentence refusals, graceful ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from sqlalchemy import func, select

from cli.launcher.embedded_postgres import EmbeddedPostgres
from kernel.audit import AuditEntry, append
from kernel.database import create_engine, sessions, transaction
from kernel.tables import audit_seals
from oncall.v1 import team_service_pb2 as pb
from oncall.v1 import team_service_pb2_grpc
from tests.builders import MASTER_KEY
from tests.waiting import eventually

SECONDS = 60


@pytest.fixture
def environment(database_url: str, redis_url: str, tmp_path: Path) -> dict[str, str]:
    return environment_of(database_url, redis_url, tmp_path)


def environment_of(database_url: str, redis_url: str, folder: Path) -> dict[str, str]:
    """Answers what a process of the server needs; `folder` takes its ready file."""
    return {
        **os.environ,
        "ONCALL_DATABASE_URL": database_url,
        "ONCALL_REDIS_URL": redis_url,
        "ONCALL_MASTER_KEY": MASTER_KEY,
        "ONCALL_SERVER_LISTEN": "127.0.0.1:0",
        "ONCALL_READY_FILE": str(folder / "ready.json"),
    }


async def _run(environment: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    """Runs a process to its end: its exit code, what it printed and what it said on standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@contextlib.asynccontextmanager
async def serving(environment: dict[str, str], module: str) -> AsyncIterator[dict[str, Any]]:
    """Yields what the ready file says; at the end asks the process to stop, and wants exit code 0 within 8 s."""
    ready = Path(environment["ONCALL_READY_FILE"])
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, env=environment)

    async def is_ready() -> bool:
        assert process.returncode is None
        return await asyncio.to_thread(ready.exists)

    try:
        await eventually(is_ready, within=SECONDS)
        yield json.loads(await asyncio.to_thread(ready.read_text))
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(8):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_database_that_was_not_migrated_is_one_sentence(
    environment: dict[str, str], postgres: EmbeddedPostgres
) -> None:
    environment["ONCALL_DATABASE_URL"] = postgres.url_of("template1")
    code, _, said = await _run(environment, "server")
    assert (code, said.count("\n")) == (2, 1)
    assert "server.migrate" in said


async def test_the_first_admin_and_the_gateway_get_tokens_that_work(
    environment: dict[str, str],
) -> None:
    assert (await _run(environment, "server.migrate"))[0] == 0
    arguments = ("server.bootstrap", "admin", "--email", "Root@x.org", "--name", "Root")
    first, second = [json.loads((await _run(environment, *arguments))[1]) for _ in range(2)]
    assert first["user_id"] == second["user_id"]
    assert first["token"] != second["token"]
    gateway = json.loads((await _run(environment, "server.bootstrap", "gateway"))[1])
    async with serving(environment, "server") as ready, grpc.aio.insecure_channel(ready["address"]) as channel:
        stub = team_service_pb2_grpc.TeamServiceStub(channel)
        for token, admin, account in ((second["token"], True, ""), (gateway["token"], False, "gateway")):
            answer = await stub.GetCaller(
                pb.GetCallerRequest(), metadata=(("authorization", f"Bearer {token}"),), timeout=SECONDS
            )
            assert (answer.user.is_platform_admin, answer.user.service_account) == (admin, account)


async def test_the_jobs_run_until_they_are_told_to_stop(environment: dict[str, str]) -> None:
    async with serving(environment, "server.jobs") as ready:
        assert ready == {}


async def test_the_jobs_seal_the_audit(environment: dict[str, str], database_url: str) -> None:
    engine = create_engine(database_url)
    async with transaction(sessions(engine)) as tx:
        await append(tx.session, AuditEntry("test.noted", "7"))

    async def sealed() -> bool:
        async with engine.connect() as connection:
            return bool(await connection.scalar(select(func.count()).select_from(audit_seals)))

    async with serving(environment, "server.jobs"):
        await eventually(sealed)
    await engine.dispose()


@pytest.mark.parametrize("module", ["server", "server.jobs", "server.migrate"])
async def test_an_unreachable_database_is_one_sentence(environment: dict[str, str], module: str) -> None:
    environment["ONCALL_DATABASE_URL"] = "postgresql://oncall:hunter2@127.0.0.1:1/oncall"
    code, _, said = await _run(environment, module)
    assert (code, said.count("\n")) == (2, 1)
    assert "ONCALL_DATABASE_URL" in said
    assert "hunter2" not in said


async def test_a_busy_port_is_one_sentence(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        address = f"127.0.0.1:{busy.getsockname()[1]}"
        code, _, said = await _run(environment | {"ONCALL_SERVER_LISTEN": address}, "server")
    assert (code, said.count("\n")) == (2, 1)
    assert address in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ONCALL_MASTER_KEY", "c2hvcnQ="),
        ("ONCALL_DATABASE_URL", "nonsense"),
        ("ONCALL_REDIS_URL", "x"),
        ("ONCALL_ISSUERS_FILE", "missing.json"),
    ],
)
async def test_a_bad_setting_is_one_sentence_that_names_it_and_not_its_value(
    environment: dict[str, str], name: str, value: str
) -> None:
    code, _, said = await _run(environment | {name: value}, "server")
    assert (code, said.count("\n")) == (2, 1)
    assert name in said
    assert "c2hvcnQ" not in said
