"""Whatever a fleet leaves standing is found: a real sandbox, a process, a folder are left on purpose, and are named."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from executor.identity import new_executor_id, started
from executor.sandbox import process
from executor.sandbox.cgroup import CgroupRoot, open_root
from executor.sandbox.command import Job
from executor.settings import SandboxSettings
from executor.wiring import UIDS_PER_EXECUTOR
from kernel.execution.content import NetworkPolicy, ResourceLimits, ScriptLanguage
from kernel.ids import new_id
from tests.chaos.fleet import Fleet, Life
from tests.chaos.leftovers import left_by
from tests.processes import pids_of
from tests.waiting import eventually


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """A fleet that never ran, of which the process of these tests is said to have been an executor."""
    fleet = Fleet(tmp_path, tmp_path / "sockets", lease_seconds=3.0)
    fleet.executors.append(Life(os.getpid(), started(os.getpid())))
    return fleet


@contextmanager
def an_executors_cgroups() -> Iterator[CgroupRoot]:
    root = open_root(new_executor_id())
    try:
        yield root
    finally:
        root.remove()


@asynccontextmanager
async def a_sandbox(cgroups: CgroupRoot, execution: UUID) -> AsyncIterator[None]:
    """A script that goes on for as long as the block lasts, with a child that has left its session."""
    script = "setsid sleep 1000 & sleep 1000"
    job = Job(execution, 1, script, ScriptLanguage.BASH, NetworkPolicy.NONE, ResourceLimits(), {})
    first = SandboxSettings().sandbox_uid_base + (os.getpid() % 100_000) * UIDS_PER_EXECUTOR
    user = first if os.geteuid() == 0 else None
    sandbox = await process.start(job, cgroups=cgroups, name=f"{execution}-1", user=user)

    async def runs() -> bool:
        return len(pids_of(execution)) >= 3

    try:
        await eventually(runs, within=30)
        yield
    finally:
        await sandbox.close()


async def test_a_sandbox_that_stands_is_found_by_its_processes_and_by_its_control_group(fleet: Fleet) -> None:
    execution = new_id()
    known = [[str(execution)], []] if os.geteuid() == 0 else [[str(execution)]]  # root's are found by their users, too
    with an_executors_cgroups() as cgroups:
        async with a_sandbox(cgroups, execution):
            for execution_ids in known:
                left = list(left_by(fleet, execution_ids))
                for pid in pids_of(execution):
                    assert any(said.startswith(f"process {pid} of ") for said in left), left
                for hierarchy in cgroups.hierarchies:
                    assert f"control group {hierarchy.folder}" in left
    assert list(left_by(fleet, [str(execution)])) == []


def test_a_process_of_the_fleet_itself_is_found(fleet: Fleet) -> None:
    environment = {**os.environ, "ONCALL_DATABASE_URL": fleet.database_url}
    with subprocess.Popen(["sleep", "1000"], env=environment) as forgotten:
        try:
            asyncio.run(_has_begun(forgotten.pid, fleet))
            assert list(left_by(fleet, [])) == [f"process {forgotten.pid} of the fleet: sleep 1000 "]
        finally:
            forgotten.kill()
    assert list(left_by(fleet, [])) == []


def test_a_folder_and_a_file_in_it_are_found(fleet: Fleet) -> None:
    folder = fleet.scratch / "left"
    folder.mkdir()
    (folder / "script").touch()
    assert sorted(left_by(fleet, [])) == [f"file {folder}", f"file {folder / 'script'}"]


async def _has_begun(pid: int, fleet: Fleet) -> None:
    async def has_its_environment() -> bool:
        return any(said.startswith(f"process {pid} ") for said in left_by(fleet, []))

    await eventually(has_its_environment)
