"""Whoever moves a run on may die anywhere: a later ring, or none, neither loses a step nor repeats one.

A run with a step of every kind is driven to its end. Once it is only counted what is done to the database meanwhile;
then it is driven again for each of these statements and each commit, and whoever moves it dies there, before or after.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from kernel.tables import executions
from oncall.v1 import workflow_pb2 as pb
from server.operations.advance_run import advance_run
from tests.builders import MASTER_KEY, an_approved_runbook
from tests.executors import an_executor, settings_of
from tests.integration.workflow_drive import Drive, Mortal, a_world, every_kind
from tests.waiting import eventually
from tests.workflows import (
    CREATED,
    approval,
    edge,
    jobs_of,
    runbook,
    status,
    statuses,
)


def points_to_die_at(kinds: list[str]) -> list[int]:
    """All commits, before and after, and every fourth statement between; in the long form every one of them."""
    return [
        number
        for number, kind in enumerate(kinds, start=1)
        if kind != "statement" or number % 4 == 0 or os.environ.get("ONCALL_TEST_LONG")
    ]


def how_it_ended(run: pb.WorkflowRun) -> tuple[str, dict[str, str], bool]:
    return status(run), statuses(run), run.compensation.status == pb.WORKFLOW_NODE_STATUS_SUCCEEDED


@pytest.mark.parametrize("approve", [True, False])
async def test_a_death_at_any_point_neither_loses_a_step_nor_repeats_one(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, approve: bool
) -> None:
    async with a_world(database_url, redis_url) as (server, desk, engine):
        workflow = await every_kind(desk)
        mortal = Mortal(server, engine)
        with mortal.counted(monkeypatch):
            drive = Drive(server, desk, mortal)
            expected = how_it_ended(await drive.go(workflow, approve=approve))
            once = await drive.what_was_done()
            assert (expected[0], expected[2]) == (("COMPLETED", False) if approve else ("FAILED", True))
            kinds = mortal.points
            assert len(kinds) > 60
            assert max(max(counts.values()) for counts in once.values()) == 1
            for point in points_to_die_at(kinds):
                mortal.is_to_die_at(point)
                drive = Drive(server, desk, mortal)
                run = await drive.go(workflow, approve=approve)
                assert mortal.died, point
                assert how_it_ended(run) == expected, point
                assert await drive.what_was_done() == once, point


async def test_rings_that_come_at_once_and_again_do_nothing_twice(database_url: str, redis_url: str) -> None:
    async with a_world(database_url, redis_url) as (server, desk, engine):
        workflow = await every_kind(desk)
        drive = Drive(server, desk, Mortal(server, engine))
        others = [Mortal(server, engine) for _ in range(3)]

        async def four_times() -> None:
            run_id = UUID(drive.run_id)
            await asyncio.gather(*(advance_run(other.mover, run_id) for other in [*others, others[0]]))

        drive._advances = four_times  # type: ignore[method-assign]
        run = await drive.go(workflow)
        assert (status(run), set(statuses(run).values())) == ("COMPLETED", {"SUCCEEDED"})
        assert all(set(counts.values()) == {1} for counts in (await drive.what_was_done()).values())


async def test_runs_end_though_no_ring_is_heard(database_url: str, redis_url: str) -> None:
    """Nobody hears the bell of `jobs`: what executions end and people decide is found by the sweep alone."""
    async with a_world(database_url, redis_url) as (server, desk, _):
        quick = await an_approved_runbook(server.sessions, desk.team)
        workflow = await desk.creates([runbook("one", quick.id), approval("ask")], edge("one", "ask"))
        async with an_executor(settings_of(database_url, redis_url)), jobs_of(server, hears=False):
            run = await desk.runs(workflow)
            await desk.until(run.id, lambda run: statuses(run)["ask"] == "WAITING")
            await desk.decides(run.id, "ask")
            assert status(await desk.ended(run.id)) == "COMPLETED"


@asynccontextmanager
async def jobs_process(database_url: str, redis_url: str, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """`jobs` as it is run."""
    ready = folder / f"ready-{os.urandom(4).hex()}"
    environment = {
        **os.environ,
        "ONCALL_DATABASE_URL": database_url,
        "ONCALL_REDIS_URL": redis_url,
        "ONCALL_MASTER_KEY": MASTER_KEY,
        "ONCALL_READY_FILE": str(ready),
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "server.jobs", env=environment)

    async def is_ready() -> bool:
        assert process.returncode is None
        return ready.exists()

    try:
        await eventually(is_ready, within=60)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.timeout(300)  # it waits for up to two minutes by itself
async def test_two_processes_of_which_one_is_killed_move_runs_on_once(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with a_world(database_url, redis_url) as (server, desk, _):
        made = [await an_approved_runbook(server.sessions, desk.team) for _ in range(3)]
        names = ["one", "two", "three"]
        workflow = await desk.creates(
            [runbook(name, made[number].id) for number, name in enumerate(names)],
            edge("one", "two"),
            edge("two", "three"),
            event=CREATED,
        )
        async with (
            an_executor(settings_of(database_url, redis_url)),
            jobs_process(database_url, redis_url, tmp_path) as first,
            jobs_process(database_url, redis_url, tmp_path),
        ):
            for _ in range(12):
                await desk.an_incident()

            async def some_move() -> bool:
                async with server.sessions() as session:
                    began = await session.execute(select(executions.c.id))
                    return len(began.all()) > 12

            await eventually(some_move, within=60)
            first.send_signal(signal.SIGKILL)

            async def all_ended() -> bool:
                runs = await desk.runs_of(workflow_id=workflow.id)
                return len(runs) == 12 and all(status(run) != "RUNNING" for run in runs)

            await eventually(all_ended, within=120)
        runs = await desk.runs_of(workflow_id=workflow.id)
        assert {status(run) for run in runs} == {"COMPLETED"}
        async with server.sessions() as session:
            began = await session.execute(select(executions.c.workflow_run_id, executions.c.runbook_id))
            counts = Counter(tuple(row) for row in began)
        assert len(counts) == 36
        assert set(counts.values()) == {1}
