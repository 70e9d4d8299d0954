"""Attacks that use things up: processes, memory, disk, descriptors, threads, time."""

from __future__ import annotations

import pytest

from tests.sandbox.aftermath import assert_as_new
from tests.sandbox.attack import BASH, JAVASCRIPT, PYTHON, Attack, each
from tests.sandbox.conftest import Range
from tests.sandbox.starts import Start

pytestmark = pytest.mark.asyncio(loop_scope="module")

ATTACKS = (
    Attack("fork bomb", BASH, "bomb() { bomb | bomb & }; bomb 2>/dev/null; sleep 1000", False, timeout_seconds=2),
    Attack(
        "fork bomb that daemonises each child",
        PYTHON,
        """
        while True:
            try:
                if os.fork() == 0: os.setsid()
            except OSError:
                pass
        """,
        False,
        timeout_seconds=2,
        only_warm=True,
    ),
    Attack(
        "spawning for ever",
        JAVASCRIPT,
        """
        const { spawn } = require('child_process');
        setInterval(() => spawn('sleep', ['1000'], { detached: true }).on('error', () => {}).unref(), 1);
        """,
        False,
        timeout_seconds=2,
        only_warm=True,
    ),
    Attack("memory bomb", PYTHON, "hold = []\nwhile True: hold.append(b'x' * 4_000_000)", False),
    Attack(
        "memory bomb of buffers",
        JAVASCRIPT,
        "const a = []; for (;;) a.push(Buffer.alloc(4e6, 1));",
        False,
        only_warm=True,
    ),
    Attack("memory bomb in a shell variable", BASH, "x=x; while :; do x=$x$x; done", False, only_warm=True),
    Attack(
        "memory bomb of many processes",
        PYTHON,
        """
        for _ in range(20):
            if os.fork() == 0:
                hold = b"x" * 20_000_000
                while True: pass
        while True: os.wait()
        """,
        False,
        timeout_seconds=3,
        only_warm=True,
    ),
    Attack(
        "memory kept in pipes",
        PYTHON,
        """
        import fcntl
        for _ in range(500):
            ends = os.pipe2(os.O_NONBLOCK)
            try:
                fcntl.fcntl(ends[1], 1031, 1 << 20)
            except OSError:
                pass
            while True:
                try:
                    os.write(ends[1], bytes(65536))
                except BlockingIOError:
                    break
        """,
        False,
    ),
    Attack(
        "memory kept in anonymous files",
        PYTHON,
        "for n in range(900): os.write(os.memfd_create(str(n)), b'x' * 1_000_000)\nescaped('900 MB')",
        False,
    ),
    Attack(
        "System V shared memory",
        PYTHON,
        """
        libc = ctypes.CDLL(None, use_errno=True)
        libc.shmat.restype = ctypes.c_void_p
        for _ in range(100):
            ident = libc.shmget(0, 10_000_000, 0o1600)
            at = libc.shmat(ident, None, 0)
            if at not in (None, ctypes.c_void_p(-1).value): ctypes.memset(at, 1, 10_000_000)
        escaped("a gigabyte")
        """,
        False,
    ),
    *(
        Attack(
            f"filling {place}",
            BASH,
            f"head -c 40000000 /dev/zero > {place}/file 2>/dev/null && escaped; "
            f"[ $(stat -c %s {place}/file) -le 16777216 ] || escaped much",
        )
        for place in ("/sandbox/work", "/tmp", "/dev/shm")  # noqa: S108 - the sandbox's own
    ),
    Attack(
        "filling every place together",
        BASH,
        """
        for place in /tmp /sandbox/work /sandbox /dev /run /run/oncall / /etc /usr /proc /dev/pts; do
          for n in 1 2 3 4; do head -c 4000000 /dev/zero > $place/$n 2>/dev/null; done
        done
        kept=$(du -cskx /tmp/ /sandbox /dev /run / --exclude=/usr --exclude=/proc 2>/dev/null | tail -1 | cut -f 1)
        [ "$kept" -lt 30000 ] || escaped "$kept KiB"
        """,
    ),
    Attack(
        "a file that is deleted and goes on",
        PYTHON,
        """
        try:
            for n in range(100):
                file = open(f"/tmp/{n}", "wb"); os.unlink(f"/tmp/{n}")
                os.write(file.fileno(), bytes(1_000_000)); os.dup(file.fileno())
            escaped("100 MB")
        except OSError:
            pass
        """,
    ),
    Attack("sparse file", BASH, "truncate -s 1T big 2>/dev/null && escaped; truncate -s 7M fits || exit 1"),
    Attack(
        "a million empty files",
        PYTHON,
        "for n in range(1_000_000): os.mknod(f'/tmp/{n:0200}')\nescaped('a million')",
        False,
        timeout_seconds=3,
        only_warm=True,
    ),
    Attack(
        "deep directories",
        PYTHON,
        """
        try:
            for _ in range(20_000): os.mkdir("d" * 50); os.chdir("d" * 50)
        except OSError:
            pass
        """,
        False,
    ),
    Attack(
        "long names",
        BASH,
        "touch $(head -c 255 /dev/zero | tr '\\0' n); touch \"$(printf '\\e]0;x\\a\\n')\"; ls >/dev/null",
    ),
    Attack(
        "ten thousand threads",
        PYTHON,
        """
        import threading
        stop, started = threading.Event(), []
        threading.stack_size(65536)
        try:
            for _ in range(10_000):
                started.append(threading.Thread(target=stop.wait)); started[-1].start()
            escaped("10,000")
        except RuntimeError:
            started.pop()
        if len(started) >= 32: escaped(len(started))
        stop.set()
        """,
    ),
    Attack(
        "every descriptor there is",
        PYTHON,
        """
        try:
            while True: os.dup(1)
        except OSError:
            pass
        os.closerange(4, 4000)
        if len(os.listdir("/proc/self/fd")) > 5: escaped("past the limit")
        """,
    ),
    Attack(
        "raising limits again",
        PYTHON,
        """
        import resource
        for what in (resource.RLIMIT_CORE, resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_MEMLOCK):
            soft, hard = resource.getrlimit(what)
            try:
                resource.setrlimit(what, (hard + 1, hard + 1)); escaped(what)
            except (ValueError, OSError):
                pass
        """,
    ),
    Attack(
        "priority over everybody else",
        PYTHON,
        """
        try:
            os.nice(-5); escaped("nice")
        except OSError: pass
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)); escaped("real time")
        except OSError: pass
        """,
    ),
    Attack(
        "locking memory",
        PYTHON,
        "if ctypes.CDLL(None).mlockall(3) == 0: escaped()",
    ),
    Attack(
        "huge arguments and environment",
        PYTHON,
        """
        import subprocess
        try:
            subprocess.run(["true", "x" * 10_000_000]); escaped()
        except OSError:
            pass
        subprocess.run(["true"], env={f"V{n}": "x" * 100_000 for n in range(10)}, check=True)
        """,
    ),
    Attack("many signals waiting", BASH, "trap '' USR1; for n in $(seq 3000); do kill -USR1 $$; done"),
    Attack(
        "surviving the request to end",
        BASH,
        "trap '' TERM INT HUP QUIT; while :; do sleep 1000; done",
        False,
        timeout_seconds=1,
    ),
)


@each(ATTACKS)
async def test_nothing_gets_out(attacked: Range, attack: Attack, start: Start) -> None:
    await attacked.suffer(attack, start)


async def test_afterwards_the_executor_is_as_new(attacked: Range) -> None:
    await assert_as_new(attacked.platform)
