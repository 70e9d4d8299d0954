"""Executors register themselves, tell again and again that they live, and are gone when they end in order."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import RowMapping, func, select, text, update

from executor import registration
from executor.registration import Offer, Registration
from executor.sandbox.isolation import LAYERS
from executor.settings import ExecutorSettings
from kernel import lifecycle
from kernel.database import create_engine, sessions, transaction
from kernel.tables import executors
from server.jobs.sweep import FORGET_AFTER, forget_executors
from tests.builders import MASTER_KEY
from tests.executors import an_executor, an_executor_process
from tests.integration.conftest import Platform
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notice that a machine has no time for just now is left out, and not what is tested."""
    monkeypatch.setattr(registration, "NOTICE_SECONDS", 30.0)


async def known(platform: Platform) -> list[RowMapping]:
    async with platform.sessions() as session:
        return list((await session.execute(select(executors).order_by(executors.c.id))).mappings())


def one(platform: Platform, **wanted: Any) -> Callable[[], Awaitable[bool]]:
    """Answers the question whether one executor is known, which tells these things of itself."""

    async def is_known() -> bool:
        rows = await known(platform)
        return len(rows) == 1 and {name: rows[0][name] for name in wanted} == wanted

    return is_known


async def test_an_executor_is_known_from_its_start_to_its_end(
    platform: Platform, executor_settings: ExecutorSettings
) -> None:
    async with an_executor(executor_settings, executor_tags="gpu,eu", executor_concurrency=3):
        (row,) = await known(platform)
        assert (row["host"], row["version"]) == (socket.gethostname(), version("oncall-platform"))
        assert (row["tags"], row["concurrency"], row["running"], row["stopping"]) == (["eu", "gpu"], 3, 0, False)
        assert [layer["name"] for layer in row["isolation"]] == list(LAYERS)
        assert row["lease_expires_at"] - row["seen_at"] == timedelta(seconds=executor_settings.lease_seconds)
    assert await known(platform) == []


async def test_it_tells_that_it_lives_also_when_nothing_runs_and_how_busy_it_is(
    platform: Platform, executor_settings: ExecutorSettings
) -> None:
    async with an_executor(executor_settings, lease_seconds=6.0):
        (first,) = await known(platform)

        async def seen_again() -> bool:
            return (await known(platform))[0]["seen_at"] > first["seen_at"]

        await eventually(seen_again)
        execution = await platform.an_execution("echo ready; sleep 1000")
        await platform.doorbell.ring(execution)
        await eventually(one(platform, running=1, started_at=first["started_at"]))


async def test_one_that_ends_says_that_it_takes_no_more_work(
    platform: Platform, executor_settings: ExecutorSettings
) -> None:
    execution = await platform.an_execution("echo ready; sleep 1000")

    async def an_executor_that_is_told_to_stop() -> None:
        async with an_executor(executor_settings, drain_seconds=60.0, lease_seconds=6.0):
            await platform.doorbell.ring(execution)
            await platform.output_of(execution, b"ready")

    stopping = asyncio.create_task(an_executor_that_is_told_to_stop())
    await eventually(one(platform, running=1, stopping=True))
    async with transaction(platform.sessions) as tx:
        await lifecycle.request_cancel(tx.session, execution)
    await stopping
    assert await known(platform) == []


async def test_a_registration_that_fails_while_the_database_is_away_stops_nobody(tmp_path: Path) -> None:
    engine = create_engine(f"postgresql://nobody@/nothing?host={tmp_path}")
    offer = Offer(executor_id="e", tags=(), concurrency=1, isolation=[], lease=timedelta(seconds=9))
    registration = Registration(sessions(engine), offer, running=lambda: 0)
    await registration.begin()
    await registration.stop()
    await registration.end()
    await engine.dispose()


async def test_no_script_depends_on_the_registry(platform: Platform, executor_settings: ExecutorSettings) -> None:
    async with transaction(platform.sessions) as tx:
        await tx.session.execute(text("ALTER TABLE executors RENAME TO lost"))
    async with an_executor(executor_settings, lease_seconds=6.0):
        done = await platform.run("sleep 2.5; echo done")  # it would have told of itself once meanwhile
    assert (done.status, done.stdout) == ("COMPLETED", b"done\n")


async def test_one_whose_row_was_swept_while_it_was_cut_off_is_known_again_with_its_next_notice(
    platform: Platform, executor_settings: ExecutorSettings
) -> None:
    async with an_executor(executor_settings, lease_seconds=6.0):
        await _let_all_be_silent(platform, FORGET_AFTER + timedelta(seconds=60))
        await forget_executors(platform.sessions)
        await eventually(one(platform, stopping=False))


async def test_the_command_line_counts_before_the_environment(platform: Platform, tmp_path: Path) -> None:
    environment = {"ONCALL_EXECUTOR_TAGS": "arm", "ONCALL_EXECUTOR_CONCURRENCY": "2"}
    options = ("--tags", "gpu,eu", "--concurrency", "7")
    async with an_executor_process(
        platform.database_url, platform.redis_url, tmp_path, *options, environment=environment
    ):
        (row,) = await known(platform)
        assert (row["tags"], row["concurrency"], row["pid"] > 0) == (["eu", "gpu"], 7, True)
    assert await known(platform) == []


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--help"], 0, b"python -m executor --tags eu,gpu --concurrency 8"),
        (["--tags", "EU"], 2, b"ONCALL_EXECUTOR_TAGS: "),
        (["--concurrency", "0"], 2, b"ONCALL_EXECUTOR_CONCURRENCY: "),
    ],
)
async def test_the_command_line_explains_itself_and_is_checked(
    platform: Platform, options: list[str], code: int, says: bytes
) -> None:
    environment = {**os.environ, "ONCALL_DATABASE_URL": platform.database_url, "ONCALL_REDIS_URL": platform.redis_url}
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "executor", *options),
        env={**environment, "ONCALL_MASTER_KEY": MASTER_KEY},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await started.communicate()
    assert started.returncode == code
    assert says in said


async def test_the_sweep_forgets_who_was_silent_for_an_hour_and_nobody_else(platform: Platform) -> None:
    for name in ("long gone", "just lost"):
        offer = Offer(executor_id=name, tags=(), concurrency=1, isolation=[], lease=timedelta(seconds=9))
        await Registration(platform.sessions, offer, running=lambda: 0).begin()
        silent = FORGET_AFTER + timedelta(seconds=60) if name == "long gone" else timedelta(minutes=30)
        await _let_all_be_silent(platform, silent)
    assert await forget_executors(platform.sessions) == 1
    assert [row["id"] for row in await known(platform)] == ["just lost"]


async def _let_all_be_silent(platform: Platform, time: timedelta) -> None:
    """Moves into the past when all that are still believed in were heard of last."""
    async with transaction(platform.sessions) as tx:
        past = {"seen_at": func.now() - time, "lease_expires_at": func.now() - time}
        await tx.session.execute(update(executors).where(executors.c.lease_expires_at > func.now()).values(past))
