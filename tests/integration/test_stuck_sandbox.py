"""A sandbox whose processes do not go although they were killed, as the kernel may keep them: how its executor ends."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.executors import an_executor_process
from tests.integration.conftest import Platform
from tests.processes import processes_of
from tests.waiting import PATIENCE

STUCK = """
import asyncio, os, runpy, sys
from pathlib import Path
from executor import worker
from executor.sandbox import pool
from executor.sandbox.cgroup import Cgroup

emptied, stuck = Cgroup.emptied, Path(os.environ["STUCK"])

async def emptied_or_stuck(self):
    while stuck.exists():
        await asyncio.sleep(0.05)
    await emptied(self)

Cgroup.emptied = emptied_or_stuck
worker.CANCEL_SECONDS = pool.CLOSE_SECONDS = 0.5
sys.argv = ["executor"]
runpy.run_module("executor", run_name="__main__")
"""
"""An executor, but its cgroups are never proved empty for as long as a file is there."""
WORDS = ("Traceback", "never retrieved", "was destroyed", "Unrecorded", "attempt_broken")
"""What its log must not say: each would be of somebody who did not count with an attempt that cannot be cancelled."""


async def test_an_attempt_that_does_not_end_when_it_is_cancelled_keeps_no_executor_from_ending(
    platform: Platform, tmp_path: Path
) -> None:
    execution = await platform.an_execution("echo ready; sleep 1000")
    stuck = tmp_path / "stuck"
    async with an_executor_process(
        platform.database_url,
        platform.redis_url,
        tmp_path,
        python=(sys.executable, "-c", STUCK),
        environment={"STUCK": str(stuck), "ONCALL_LEASE_SECONDS": "3", "ONCALL_WARM_SANDBOXES": "0"},
        stderr=asyncio.subprocess.PIPE,
    ) as process:
        await platform.doorbell.ring(execution)
        await platform.output_of(execution, b"ready")
        stuck.touch()
        process.terminate()
        async with asyncio.timeout(30 * PATIENCE):
            _, said = await process.communicate()

    lines = said.decode().splitlines()
    assert [line for line in lines if any(word in line for word in WORDS)] == []
    assert lines[-1] == "ended without having recorded the end of 1 executions; their leases run out"
    assert process.returncode == 1
    assert processes_of(execution) == []
    assert (await platform.row(execution)).status == "RUNNING"  # the sweep ends it as lost, once its lease is over


async def test_a_standing_sandbox_that_does_not_die_keeps_no_executor_from_ending(
    platform: Platform, tmp_path: Path
) -> None:
    stuck = tmp_path / "stuck"
    async with an_executor_process(
        platform.database_url,
        platform.redis_url,
        tmp_path,
        python=(sys.executable, "-c", STUCK),
        environment={"STUCK": str(stuck), "ONCALL_WARM_SANDBOXES": "1"},
        stderr=asyncio.subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        try:
            async with asyncio.timeout(30 * PATIENCE):
                async for line in process.stderr:
                    if b'"warm_sandboxes"' in line:
                        break
                stuck.touch()
                process.terminate()
                _, said = await process.communicate()
        finally:
            stuck.unlink(missing_ok=True)

    assert b'"warm_sandboxes_left"' in said
    assert [line for line in said.decode().splitlines() if any(word in line for word in WORDS)] == []
    assert process.returncode == 0
