"""A script cannot tell whether its sandbox stood ready, nor that somebody waited for it."""

from __future__ import annotations

import time

import psutil
import pytest

from executor.sandbox.cgroup import CgroupRoot
from kernel.execution.content import ScriptLanguage
from tests.integration.warm.pools import a_job, a_pool, full, output_of
from tests.waiting import eventually

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
