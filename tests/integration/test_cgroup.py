"""Cgroups as this machine's kernel has them: bounded anew, killed, proved empty, swept, never another executor's."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from structlog.testing import capture_logs

from executor.identity import new_executor_id
from executor.sandbox import cgroup_kill, process
from executor.sandbox.cgroup import Cgroup, CgroupRoot, open_root
from executor.sandbox.command import Job
from kernel.execution.content import NetworkPolicy, ResourceLimits, ScriptLanguage
from kernel.ids import new_id
from tests.waiting import eventually

MIB = 1024 * 1024
SECONDS = 300
"""What an emulated machine (`make vm`) may need to start a program; what is waited for takes moments elsewhere."""

ENDLESS = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
while True:
    try:
        if os.fork() == 0:
            os.setsid()
            time.sleep(0.05)
            if os.fork(): os._exit(0)
    except OSError:
        pass
"""
"""Who forks without a pause, so that every list of its processes is an old one."""

AN_EXECUTOR = """
import sys
from executor.identity import new_executor_id
from executor.sandbox.cgroup import open_root
root = open_root(sys.argv[1] if len(sys.argv) > 1 else new_executor_id())
cgroup = root.create("sandbox")
for _, folder in cgroup.folders:
    (folder / "nested" / "deeper").mkdir(parents=True)
print("folders", *(folder for _, folder in cgroup.folders), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def root() -> Iterator[CgroupRoot]:
    root = open_root(new_executor_id())
    yield root
    root.remove()


@pytest.fixture
def cgroup(root: CgroupRoot) -> Iterator[Cgroup]:
    if not root.hierarchies:
        pytest.skip("this user may make no cgroup on this machine")
    cgroup = root.create("sandbox")
    yield cgroup
    cgroup.kill()
    asyncio.run(cgroup.emptied())
    asyncio.run(cgroup.removed())


@contextmanager
def processes_in(cgroup: Cgroup, script: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is inside before it does anything, and says `ready`."""
    waits = f"import sys; sys.stdin.readline()\n{script}"
    with subprocess.Popen(
        [sys.executable, "-c", waits], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as started:
        assert started.stdin
        assert started.stdout
        try:
            cgroup.add(started.pid)
            started.stdin.write(b"begin\n")
            started.stdin.flush()
            assert started.stdout.readline() == b"ready\n"
            yield started
        finally:
            started.kill()


@pytest.mark.parametrize("way", ["the kernel's word", "signals"])
def test_who_forks_without_a_pause_is_killed_to_the_last(
    cgroup: Cgroup, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "signals":
        ordered = cgroup_kill._ordered
        monkeypatch.setattr(
            cgroup_kill, "_ordered", lambda file, word: file.name != "cgroup.kill" and ordered(file, word)
        )
    cgroup.limit(ResourceLimits(processes=40))
    with processes_in(cgroup, ENDLESS):
        assert not cgroup.empty()

        cgroup.kill()

        async def proved() -> None:
            async with asyncio.timeout(SECONDS):
                await cgroup.emptied()

        asyncio.run(proved())
        assert cgroup.empty()
        assert cgroup.pids() == set()


def test_limits_are_written_anew_to_a_sandbox_that_stands(root: CgroupRoot, cgroup: Cgroup) -> None:
    if "memory" not in root.controllers or "pids" not in root.controllers:
        pytest.skip("this user has neither the memory nor the pids controller on this machine")
    files = {1: "memory.limit_in_bytes", 2: "memory.max"}
    for memory, processes in ((64 * MIB, 10), (256 * MIB, 50), (32 * MIB, 5)):
        cgroup.limit(ResourceLimits(memory_bytes=memory, processes=processes))

        held = {}
        for hierarchy, folder in cgroup.folders:
            if "memory" in hierarchy.controllers:
                held["memory"] = (folder / files[hierarchy.version]).read_text().strip()
            if "pids" in hierarchy.controllers:
                held["pids"] = (folder / "pids.max").read_text().strip()
        assert held == {"memory": str(memory), "pids": str(processes)}


def test_what_cannot_be_bounded_leaves_no_folder(root: CgroupRoot) -> None:
    if "memory" not in root.controllers:
        pytest.skip("this user has no memory controller on this machine")
    with pytest.raises(OSError, match="Invalid argument"):
        root.create("refused", ResourceLimits(memory_bytes=-5))
    assert [h.folder / "refused" for h in root.hierarchies if (h.folder / "refused").exists()] == []


def test_a_folder_that_cannot_be_removed_is_told_of(cgroup: Cgroup) -> None:
    with processes_in(cgroup, "print('ready', flush=True); sys.stdin.read()"), capture_logs() as said:
        assert not cgroup.remove()
    assert {entry["event"] for entry in said} == {"cgroup_not_removed"}


def test_more_memory_than_allowed_is_told_by_the_kernel_and_ends_the_script(root: CgroupRoot) -> None:
    if "memory" not in root.controllers:
        pytest.skip("this user has no memory controller on this machine")
    script = "python3 -c 'x = bytearray(200_000_000)'; echo went on; sleep 1000"

    async def run() -> tuple[bool, bool]:
        limits = ResourceLimits(memory_bytes=64 * MIB)
        job = Job(new_id(), 1, script, ScriptLanguage.BASH, NetworkPolicy.NONE, limits, {})
        sandbox = await process.start(job, cgroups=root, name="bomb", user=2_000_000_000 if os.geteuid() == 0 else None)
        try:
            if root.controllers["memory"] == 1:  # there the kernel kills a process, and its script goes on

                async def told() -> bool:
                    return sandbox._cgroup.out_of_memory()

                await eventually(told, within=SECONDS)
                return True, True
            async with asyncio.timeout(SECONDS):
                exited = await sandbox.wait()
            with suppress(BlockingIOError):
                assert b"went on" not in os.read(sandbox.stdout, 100)
            return exited.out_of_memory, exited.exit_code == 137
        finally:
            await sandbox.close()

    assert asyncio.run(run()) == (True, True)


@contextmanager
def another_executor(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], list[Path]]]:
    """A process with folders of its own, and folders below them; answers those of its sandbox."""
    with subprocess.Popen(
        [sys.executable, "-c", AN_EXECUTOR, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as other:
        assert other.stdout
        try:
            told = next(words for line in other.stdout if (words := line.decode().split())[:1] == ["folders"])
            yield other, [Path(word) for word in told[1:]]
        finally:
            other.kill()
            other.wait()
            open_root(new_executor_id()).remove()


@pytest.mark.usefixtures("cgroup")
def test_what_a_dead_executor_left_is_killed_and_removed_however_deep() -> None:
    with another_executor() as (other, folders), ExitStack() as left:
        sleepers = []
        for folder in (folders[-1], folders[-1] / "nested" / "deeper"):
            sleeper = left.enter_context(subprocess.Popen(["sleep", "1000"]))
            left.callback(sleeper.kill)
            (folder / "cgroup.procs").write_text(str(sleeper.pid))
            sleepers.append(sleeper)
        other.send_signal(signal.SIGKILL)
        other.wait()

        # Whoever reaps them is this process, so they must be asked for meanwhile.
        opening = subprocess.Popen([sys.executable, "-m", "executor.doctor", "--json"], stdout=subprocess.DEVNULL)
        assert [sleeper.wait(SECONDS) for sleeper in sleepers] == [-9, -9]
        assert opening.wait(SECONDS) == 0

        assert [folder for folder in folders if folder.parent.exists()] == []


@pytest.mark.usefixtures("cgroup")
@pytest.mark.parametrize(
    "name", ["", f"elsewhere-{psutil.Process().pid}-1-00000000"], ids=["its own name", "a name of elsewhere"]
)
def test_a_living_executor_is_left_alone_whatever_its_name_says(name: str) -> None:
    with another_executor(*filter(None, [name])) as (_, folders):
        open_root(new_executor_id()).remove()

        assert folders
        assert all((folder / "nested" / "deeper").exists() for folder in folders)


def test_executors_that_start_together_do_not_hinder_one_another() -> None:
    with ExitStack() as running:
        started = [running.enter_context(another_executor()) for _ in range(4)]
        assert len({folder for _, folders in started for folder in folders}) == sum(len(f) for _, f in started)
