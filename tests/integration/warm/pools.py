"""Pools of sandboxes for these tests, and what a script in one prints."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from executor.sandbox.cgroup import CgroupRoot
from executor.sandbox.command import Job
from executor.sandbox.pool import Sandboxes
from executor.sandbox.toolbox import Toolbox
from executor.settings import SandboxSettings
from kernel.execution.content import NetworkPolicy, ResourceLimits, ScriptLanguage
from kernel.ids import new_id
from tests.waiting import eventually

FIRST_USER = SandboxSettings().sandbox_uid_base + 90_000 * 1_001 + (os.getpid() % 9_000) * 16
ID = new_id()


def a_job(script: str, language: ScriptLanguage = ScriptLanguage.BASH, **rest: Any) -> Job:
    settings = {"network": NetworkPolicy.NONE, "limits": ResourceLimits(), "parameters": {}, "secrets": {}} | rest
    return Job(ID, 1, script, language, **settings)


@asynccontextmanager
async def a_pool(cgroups: CgroupRoot, warm: int, *, offset: int = 0) -> AsyncIterator[Sandboxes]:
    users = range(FIRST_USER + offset, FIRST_USER + offset + 8) if os.geteuid() == 0 else None
    sandboxes = Sandboxes(cgroups, users, Toolbox(), warm=warm)
    keeping = asyncio.create_task(sandboxes.run())
    try:
        await full(sandboxes, warm)
        yield sandboxes
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        await sandboxes.close()
        assert keeping.cancelled() or keeping.exception() is None


async def full(sandboxes: Sandboxes, count: int) -> None:
    async def all_stand() -> bool:
        return len(sandboxes.standing) == count

    await eventually(all_stand)


async def output_of(sandboxes: Sandboxes, job: Job) -> tuple[bytes, bytes]:
    sandbox = await sandboxes.start(job, str(new_id()))
    try:
        reading = [asyncio.to_thread(all_of, descriptor) for descriptor in (sandbox.stdout, sandbox.stderr)]
        stdout, stderr, _ = await asyncio.gather(*reading, sandbox.wait())
        return stdout, stderr
    finally:
        await sandbox.close()


def all_of(descriptor: int) -> bytes:
    os.set_blocking(descriptor, True)
    return b"".join(iter(lambda: os.read(descriptor, 65536), b""))
