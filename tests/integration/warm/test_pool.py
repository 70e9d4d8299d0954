"""Sandboxes that stand ready: each is used once, and none is needed or outlives its executor."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from executor.identity import new_executor_id
from executor.sandbox import pool, standing
from executor.sandbox.cgroup import Cgroup, CgroupRoot, open_root
from executor.sandbox.handover import Handover
from executor.sandbox.pool import Sandboxes, footprint
from executor.sandbox.process import SandboxError
from executor.sandbox.standing import Standing, stand
from executor.sandbox.toolbox import Toolbox
from kernel.execution.content import NetworkPolicy, ResourceLimits, ScriptLanguage
from kernel.ids import new_id
from tests.integration.warm.pools import FIRST_USER, a_job, a_pool, all_of, full, output_of
from tests.processes import cgroups as all_cgroups
from tests.processes import goes_on, waits
from tests.waiting import PATIENCE, eventually

MIB = 1024 * 1024


async def test_each_is_used_once_and_another_takes_its_place(cgroups: CgroupRoot, cold_starts: list[str]) -> None:
    async with a_pool(cgroups, 2) as sandboxes:
        first = sandboxes.standing
        pids = {pid for each in first for pid in each.pids}
        for number in range(6):
            script = f"ls -A ~ /tmp /dev/shm; echo {number} | tee ~/mark /tmp/mark >/dev/shm/mark"
            stdout, stderr = await output_of(sandboxes, a_job(script))
            assert (stdout.replace(b"\n", b" ").split(), stderr) == ([b"/dev/shm:", b"/sandbox/work:", b"/tmp:"], b"")
            await full(sandboxes, 2)
        assert not set(sandboxes.standing) & set(first)
        await no_longer(pids)
    assert cold_starts == []


async def test_what_is_asked_for_decides_the_limits_and_what_stands_next(
    cgroups: CgroupRoot, cold_starts: list[str]
) -> None:
    small = ResourceLimits(memory_bytes=64 * MIB, processes=10, disk_bytes=8 * MIB)
    eat = "keep = []\nwhile True: keep.append(bytearray(8 * 1024 * 1024))"
    fork = """
import os, time
started = 0
try:
    for _ in range(100):
        if os.fork() == 0:
            time.sleep(30)
        started += 1
except BlockingIOError:
    pass
print(started, flush=True); os.kill(-1, 9)
"""
    async with a_pool(cgroups, 2) as sandboxes:
        for _ in range(2):
            disk, _ = await output_of(sandboxes, a_job("head -c 10000000 /dev/zero >a; stat -c %s a", limits=small))
            assert int(disk) <= 8 * MIB
            assert len(cold_starts) == 1  # only the first of a new size
            await _stands(sandboxes, 8 * MIB)
        sandbox = await sandboxes.start(a_job(eat, ScriptLanguage.PYTHON, limits=small), "eater")
        ended = await sandbox.wait()
        said = all_of(sandbox.stderr)
        await sandbox.close()
        assert ended.out_of_memory or b"MemoryError" in said
        await _stands(sandboxes, 8 * MIB)
        forked, _ = await output_of(sandboxes, a_job(fork, ScriptLanguage.PYTHON, limits=small))
        assert int(forked) < 10
    assert len(cold_starts) == 1


async def _stands(sandboxes: Sandboxes, disk_bytes: int) -> None:
    async def one_stands() -> bool:
        return any(each.shape.disk_bytes == disk_bytes for each in sandboxes.standing)

    await eventually(one_stands)


async def test_what_cannot_stand_ready_is_set_up_when_it_is_asked_for(
    cgroups: CgroupRoot, cold_starts: list[str]
) -> None:
    connected = a_job("ls /sys/class 2>/dev/null; tail -n +3 /proc/net/dev | wc -l", network=NetworkPolicy.HOST)
    async with a_pool(cgroups, 1) as sandboxes:
        stdout, _ = await output_of(sandboxes, connected)
        assert int(stdout) >= 1
        assert len(cold_starts) == 1
        assert len(sandboxes.standing) == 1

    async with a_pool(cgroups, 0) as without:
        assert (await output_of(without, a_job("echo x")))[0] == b"x\n"
        assert without.standing == ()
    assert len(cold_starts) == 2


@pytest.mark.parametrize("whom", ["the shell", "the first process", "the monitor"])
async def test_one_that_died_is_noticed_and_replaced(cgroups: CgroupRoot, cold_starts: list[str], whom: str) -> None:
    async with a_pool(cgroups, 1) as sandboxes:
        (first,) = sandboxes.standing
        shell = next(pid for pid in first.pids if waits(pid))
        monitor = min(first.pids)
        victim = {"the shell": shell, "the first process": psutil.Process(shell).ppid(), "the monitor": monitor}[whom]
        os.kill(victim, signal.SIGKILL)
        await no_longer({shell})

        assert (await output_of(sandboxes, a_job("echo alive")))[0] == b"alive\n"

        assert len(cold_starts) == 1
        await full(sandboxes, 1)
        assert sandboxes.standing != (first,)


@pytest.mark.parametrize("warm", [0, 1])
async def test_what_an_executor_that_dies_leaves_half_made_never_runs_its_script(
    cgroups: CgroupRoot, monkeypatch: pytest.MonkeyPatch, warm: int
) -> None:
    """What the kernel shuts for the dead, everything but the word having been said, is shut here by hand."""
    async with a_pool(cgroups, warm) as sandboxes:
        monkeypatch.setattr(Handover, "begin", Handover.close)

        assert await output_of(sandboxes, a_job("echo begun")) == (b"", b"")


async def no_longer(pids: set[int]) -> None:
    async def none_lives() -> bool:
        return not any(goes_on(pid) for pid in pids)

    await eventually(none_lives)


async def test_an_executor_that_cannot_keep_any_standing_runs_scripts_all_the_same(
    cgroups: CgroupRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def watched(*given: Any, **rest: Any) -> Any:
        nonlocal tries
        tries += 1
        return await stand(*given, **rest)

    monkeypatch.setattr(pool, "stand", watched)
    monkeypatch.setattr(standing, "_MOUNT", "echo no mounts here >&2; exit 1")
    monkeypatch.setattr(pool, "BACKOFF_SECONDS", (0.01, 0.02))
    sandboxes = Sandboxes(cgroups, range(FIRST_USER, FIRST_USER + 2) if os.geteuid() == 0 else None, Toolbox(), warm=1)
    keeping = asyncio.create_task(sandboxes.run())

    async def tried_again() -> bool:
        return tries >= 3

    await eventually(tried_again)
    for _ in range(3):  # more often than there are users, had the refused ones kept theirs
        assert (await output_of(sandboxes, a_job("echo x")))[0] == b"x\n"
    keeping.cancel()
    await asyncio.wait([keeping])
    await sandboxes.close()


async def test_a_job_that_cannot_be_expressed_keeps_no_user(cgroups: CgroupRoot) -> None:
    sandboxes = Sandboxes(cgroups, range(FIRST_USER, FIRST_USER + 1) if os.geteuid() == 0 else None, Toolbox(), warm=0)
    for _ in range(2):
        with pytest.raises(SandboxError, match="environment cannot be made"):
            await sandboxes.start(a_job("echo x", parameters={"name": "a\0b"}), str(new_id()))

    assert (await output_of(sandboxes, a_job("echo x")))[0] == b"x\n"


@pytest.mark.parametrize("where", ["__init__", "write"])
async def test_what_keeps_a_job_from_being_handed_over_is_a_sandbox_that_cannot_be_had(
    cgroups: CgroupRoot, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    sandboxes = Sandboxes(cgroups, range(FIRST_USER, FIRST_USER + 1) if os.geteuid() == 0 else None, Toolbox(), warm=0)
    with monkeypatch.context() as patch:
        patch.setattr(Handover, where, refuse)
        for _ in range(2):
            with pytest.raises(SandboxError, match="Too many open files"):
                await sandboxes.start(a_job("echo x"), str(new_id()))

    assert (await output_of(sandboxes, a_job("echo x")))[0] == b"x\n"


async def test_one_that_never_dies_keeps_no_others_from_standing(
    cgroups: CgroupRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    discard, dies = Standing.discard, asyncio.Event()

    async def discarded_late(self: Standing) -> None:
        await dies.wait()
        await discard(self)

    async with a_pool(cgroups, 1) as sandboxes:
        [stuck] = sandboxes.standing
        with monkeypatch.context() as patch:
            patch.setattr(Standing, "discard", discarded_late)
            patch.setattr(stuck, "fits", lambda _: False)
            assert (await output_of(sandboxes, a_job("echo cold")))[0] == b"cold\n"
        await full(sandboxes, 1)
        assert (await output_of(sandboxes, a_job("echo warm")))[0] == b"warm\n"
        await full(sandboxes, 1)
        assert not dies.is_set()
        dies.set()


async def test_no_two_sandboxes_that_live_have_the_same_user(cgroups: CgroupRoot) -> None:
    if os.geteuid() != 0:
        pytest.skip("sandboxes have users of their own only where the executor is root")
    async with a_pool(cgroups, 2) as sandboxes:
        running = [await sandboxes.start(a_job("sleep 1000"), f"running-{n}") for n in range(3)]
        await full(sandboxes, 2)
        groups = [sandbox.pids() for sandbox in running] + [each.pids for each in sandboxes.standing]
        users = [{psutil.Process(pid).uids().real for pid in pids} for pids in groups]
        for sandbox in running:
            await sandbox.close()
    assert all(len(each) == 1 for each in users)
    assert len(set.union(*users)) == 5


async def test_the_end_leaves_none_standing(cgroups: CgroupRoot) -> None:
    async with a_pool(cgroups, 2) as sandboxes:
        cost = footprint(sandboxes.standing)
        pids = {pid for each in sandboxes.standing for pid in each.pids}
    assert (cost["sandboxes"], cost["processes"]) == (2, 6)
    assert 0 < cost["memory_bytes"] < 16 * MIB
    await no_longer(pids)


async def test_the_end_waits_for_what_is_being_set_up_however_often_it_is_cancelled(
    cgroups: CgroupRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever ends an executor cancels again and again, and the kernel may be slow to let go of a sandbox."""
    emptied = Cgroup.emptied
    begins, ends, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def begin_for_ever(self: Standing) -> None:
        self._sandbox.release()
        begins.set()
        await asyncio.Event().wait()

    async def emptied_late(self: Cgroup) -> None:
        ends.set()
        await gone.wait()
        await emptied(self)

    monkeypatch.setattr(Standing, "begin", begin_for_ever)
    monkeypatch.setattr(Cgroup, "emptied", emptied_late)
    sandboxes = Sandboxes(cgroups, range(FIRST_USER, FIRST_USER + 2) if os.geteuid() == 0 else None, Toolbox(), warm=1)
    keeping = asyncio.create_task(sandboxes.run())
    async with asyncio.timeout(30 * PATIENCE):
        await begins.wait()
        keeping.cancel()
        await ends.wait()
        keeping.cancel()
        await asyncio.wait([keeping])
        closing = asyncio.create_task(sandboxes.close())
        await asyncio.sleep(0)
        assert not closing.done()
        gone.set()
        await closing
    assert [folder for h in cgroups.hierarchies for folder in h.folder.glob("warm-*")] == []


STAND = """
import asyncio, os, sys
from executor.identity import new_executor_id
from executor.sandbox.cgroup import open_root
from executor.sandbox.pool import Sandboxes
from executor.sandbox.toolbox import Toolbox
async def main():
    root = open_root(new_executor_id())
    users = range(int(sys.argv[1]), int(sys.argv[1]) + 4) if os.geteuid() == 0 else None
    sandboxes = Sandboxes(root, users, Toolbox(), warm=2)
    keeping = asyncio.create_task(sandboxes.run())
    while len(sandboxes.standing) < 2:
        await asyncio.sleep(0.01)
    print(*(pid for each in sandboxes.standing for pid in each.pids), flush=True)
    await keeping
asyncio.run(main())
"""


async def test_kill_9_of_the_executor_leaves_no_sandbox_standing() -> None:
    executor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STAND, str(FIRST_USER + 16), stdout=asyncio.subprocess.PIPE
    )
    assert executor.stdout is not None
    line = b""
    while not line.strip().replace(b" ", b"").isdigit():  # the log is written there too
        line = await asyncio.wait_for(executor.stdout.readline(), 60)
    pids = {int(pid) for pid in line.split()}
    assert len(pids) == 6

    executor.kill()
    await executor.wait()

    await no_longer(pids)
    open_root(new_executor_id()).remove()  # the next start sweeps
    assert folders_of(executor.pid) == []


def folders_of(executor: int) -> list[Path]:
    return [folder for folder in all_cgroups() if f"-{executor}-" in folder.name]
