"""One executor's sandboxes without the rest of it: how soon a script's first byte is there, cold and warm."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from executor.identity import new_executor_id
from executor.sandbox.cgroup import open_root
from executor.sandbox.command import Job
from executor.sandbox.monitor import readable
from executor.sandbox.pool import Sandboxes, footprint
from executor.sandbox.toolbox import Toolbox
from executor.settings import SandboxSettings
from kernel.execution.content import NetworkPolicy, ResourceLimits, ScriptLanguage
from kernel.ids import new_id
from tests.waiting import eventually

WARM = 2


@asynccontextmanager
async def warm_and_cold() -> AsyncIterator[tuple[Sandboxes, Sandboxes]]:
    """Yields sandboxes that stand ready, and others that do not."""
    root = open_root(new_executor_id())
    first = SandboxSettings().sandbox_uid_base - 100
    users = range(first, first + 10) if os.geteuid() == 0 else None
    warm = Sandboxes(root, users and users[:5], Toolbox(), warm=WARM)
    cold = Sandboxes(root, users and users[5:], Toolbox(), warm=0)
    keeping = asyncio.create_task(warm.run())
    try:
        await all_stand(warm)
        yield warm, cold
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        await warm.close()
        await cold.close()
        root.remove()


async def all_stand(sandboxes: Sandboxes) -> None:
    async def stand() -> bool:
        return len(sandboxes.standing) == WARM

    await eventually(stand)


async def first_byte_in(sandboxes: Sandboxes) -> float:
    """Answers the seconds from the wish for a sandbox to the first byte of its script's output."""
    job = Job(new_id(), 1, "echo x", ScriptLanguage.BASH, NetworkPolicy.NONE, ResourceLimits(), {})
    began = time.perf_counter()
    sandbox = await sandboxes.start(job, f"bench-{job.execution_id}")
    await readable(sandbox.stdout)
    seconds = time.perf_counter() - began
    await sandbox.wait()
    await sandbox.close()
    return seconds


def idle_cost(sandboxes: Sandboxes) -> str:
    """Answers one sentence about what standing ready costs."""
    cost = footprint(sandboxes.standing)
    each = cost["memory_bytes"] / cost["sandboxes"] / 1e6
    return (
        f"{cost['sandboxes']} sandboxes stand ready: {cost['processes']} processes that sleep, "
        f"{each:.2f} MB of memory each (PSS)"
    )
