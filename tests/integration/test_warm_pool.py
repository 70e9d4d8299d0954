"""Sandboxes that stand ready: a script cannot tell, each is used once, and none is needed or outlives its executor."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from executor.identity import new_executor_id
from executor.sandbox import pool, standing
from executor.sandbox.cgroup import Cgroup, CgroupRoot, open_root
from executor.sandbox.command import Job
from executor.sandbox.handover import Handover
from executor.sandbox.pool import Sandboxes, footprint
from executor.sandbox.process import SandboxError
from executor.sandbox.standing import Standing, stand
from executor.sandbox.toolbox import Toolbox
from executor.settings import SandboxSettings
from kernel.execution.content import NetworkPolicy, ResourceLimits, ScriptLanguage
from kernel.ids import new_id
from tests.processes import cgroups as all_cgroups
from tests.processes import goes_on, waits
from tests.waiting import PATIENCE, eventually

MIB = 1024 * 1024
FIRST_USER = SandboxSettings().sandbox_uid_base + 90_000 * 1_001 + (os.getpid() % 9_000) * 16
ID = new_id()

TELL_ALL = r"""
import ctypes, json, os, resource, signal
def status(*names):
    lines = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
    return {name: lines[name].strip() for name in names}
def walk(top):
    for folder, folders, files in os.walk(top):
        folders.sort()
        for path in sorted([folder, *(os.path.join(folder, file) for file in files)]):
            seen = os.stat(path)
            content = open(path).read() if os.path.isfile(path) else ""
            yield path, oct(seen.st_mode), seen.st_uid, seen.st_gid, seen.st_nlink, content
def refused(change):
    try:
        change()
    except OSError as error:
        return error.strerror
    return "allowed"
print(json.dumps({
    "environ": sorted(open("/proc/self/environ").read().split("\0")),
    "argv": open("/proc/self/cmdline").read().split("\0"),
    "descriptors": {fd: os.readlink(f"/proc/self/fd/{fd}").split(":")[0] for fd in os.listdir("/proc/self/fd")
                    if os.path.lexists(f"/proc/self/fd/{fd}")},
    "cwd": os.getcwd(), "umask": oct(os.umask(0)), "ids": [os.getpid(), os.getppid(), os.getsid(0), os.getpgid(0)],
    "status": status("Uid", "Gid", "Groups", "SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd", "CapEff", "CapPrm",
                     "CapBnd", "CapAmb", "CapInh", "NoNewPrivs", "Seccomp", "Seccomp_filters", "Threads", "TracerPid",
                     "Cpus_allowed"),
    "limits": open("/proc/self/limits").read(), "oom": open("/proc/self/oom_score_adj").read(),
    "priority": [os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)],
    "root": sorted(os.listdir("/")), "inputs": list(walk("/run")), "writable": list(walk("/sandbox")),
    "changes": [refused(lambda: open("/run/oncall/mark", "w")),
                refused(lambda: os.chmod("/run/oncall/script.py", 0o777)),
                refused(lambda: os.unlink("/run/oncall/secrets/token")), refused(lambda: os.mkdir("/run/oncall/x"))],
    "processes": sorted(name for name in os.listdir("/proc") if name.isdigit()),
    "mounts": sorted({line.split(" - ")[0].split()[4] for line in open("/proc/self/mountinfo")} - {"/run/oncall"}),
    "sizes": [os.statvfs(place).f_blocks for place in ("/sandbox", "/dev/shm", "/tmp")],
    "interfaces": open("/proc/net/dev").read(),
}))
"""

TELL_ALL_BASH = r"""
echo "[$_]" $? $LINENO; cat /proc/self/environ | tr '\0' '\n' | sort; ls /proc/$$/fd
echo ${#BASH_ARGC[@]} ${BASH_ARGC[@]}  # which a shell fills when it is asked
declare -p | grep -v -e ' BASHPID' -e ' RANDOM' -e ' SRANDOM' -e EPOCH -e SECONDS
set -o; shopt; trap; ulimit -a; umask; jobs; echo $0 $# $PPID $SHLVL $-
"""

HARD_TO_QUOTE = "".join(map(chr, range(1, 256))) + "'\"\\'$(echo x)`id`!!\u2028€😀\x7f\x01\x01'\n\r\n  "


def a_job(script: str, language: ScriptLanguage = ScriptLanguage.BASH, **rest: Any) -> Job:
    settings = {"network": NetworkPolicy.NONE, "limits": ResourceLimits(), "parameters": {}, "secrets": {}} | rest
    return Job(ID, 1, script, language, **settings)


@pytest.fixture
def cgroups() -> Iterator[CgroupRoot]:
    root = open_root(new_executor_id())
    yield root
    left = [folder for h in root.hierarchies for folder in h.folder.iterdir() if folder.is_dir()]
    root.remove()
    assert left == []


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
        reading = [asyncio.to_thread(_all_of, descriptor) for descriptor in (sandbox.stdout, sandbox.stderr)]
        stdout, stderr, _ = await asyncio.gather(*reading, sandbox.wait())
        return stdout, stderr
    finally:
        await sandbox.close()


def _all_of(descriptor: int) -> bytes:
    os.set_blocking(descriptor, True)
    return b"".join(iter(lambda: os.read(descriptor, 65536), b""))


@pytest.fixture
def cold_starts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sandboxes that did not stand ready, as they are started."""
    started: list[str] = []
    start = pool.process.start

    async def watched(job: Job, **rest: Any) -> Any:
        started.append(rest["name"])
        return await start(job, **rest)

    monkeypatch.setattr(pool.process, "start", watched)
    return started


@pytest.mark.parametrize("language", [ScriptLanguage.BASH, ScriptLanguage.PYTHON])
async def test_a_script_cannot_tell_whether_its_sandbox_stood_ready(
    cgroups: CgroupRoot, language: ScriptLanguage, cold_starts: list[str]
) -> None:
    script = TELL_ALL_BASH if language is ScriptLanguage.BASH else TELL_ALL
    values = {"name": HARD_TO_QUOTE.strip(), "count": 3.0, "yes": True, "none": None}
    job = a_job(script, language, parameters=values, secrets={"token": HARD_TO_QUOTE, "Other": "x" * 40_000})

    async with a_pool(cgroups, 1) as ready, a_pool(cgroups, 0, offset=8) as without:
        warm = await output_of(ready, job)
        assert cold_starts == []
        cold = await output_of(without, job)

    assert len(cold_starts) == 1
    assert warm == cold
    assert warm[1] == b""
    assert len(warm[0]) > 1000


IN_A_BASH_OF_ITS_OWN = r"""
import os, signal
for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python
    signal.signal(ignored, signal.SIG_DFL)
with open("script.sh", "w") as file:
    file.write(os.environ.pop("PARAM_SCRIPT"))
os.execv("/usr/bin/bash", ["/usr/bin/bash", "script.sh"])
"""


@pytest.mark.parametrize("warm", [0, 1])
async def test_a_script_cannot_tell_that_its_bash_has_waited_for_it(cgroups: CgroupRoot, warm: int) -> None:
    async with a_pool(cgroups, warm) as sandboxes:
        waited = await output_of(sandboxes, a_job(TELL_ALL_BASH))
        await full(sandboxes, warm)
        itself = a_job(IN_A_BASH_OF_ITS_OWN, ScriptLanguage.PYTHON, parameters={"script": TELL_ALL_BASH})
        own = await output_of(sandboxes, itself)

    assert (waited[0].replace(b"/run/oncall/script.sh", b"script.sh"), waited[1]) == own
    assert own[1] == b""
    assert len(own[0]) > 1000


async def test_the_seconds_of_a_script_begin_with_it(cgroups: CgroupRoot) -> None:
    async with a_pool(cgroups, 1) as sandboxes:
        stood = min(psutil.Process(pid).create_time() for pid in sandboxes.standing[0].pids)

        async def is_old() -> bool:
            return time.time() > stood + 3

        await eventually(is_old)
        began = time.monotonic()
        seconds, _ = await output_of(sandboxes, a_job("echo $SECONDS"))
        assert int(seconds) <= time.monotonic() - began + 1  # a shell counts the turns of the clock


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
        said = _all_of(sandbox.stderr)
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
