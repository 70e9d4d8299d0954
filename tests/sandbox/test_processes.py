"""Attacks on other processes, and attempts to outlive one's own execution."""

from __future__ import annotations

import pytest

from tests.sandbox.aftermath import assert_as_new
from tests.sandbox.attack import BASH, JAVASCRIPT, PYTHON, Attack, each
from tests.sandbox.conftest import Range
from tests.sandbox.starts import Start

pytestmark = pytest.mark.asyncio(loop_scope="module")

ATTACKS = (
    Attack(
        "walking proc",
        BASH,
        """
        for p in /proc/[0-9]*; do
          tr '\\0' '\\n' < $p/environ 2>/dev/null |
              grep -E '^(CANARY|ONCALL_MASTER_KEY|ONCALL_DATABASE_URL)=' && escaped $p
          tr '\\0' ' ' < $p/cmdline 2>/dev/null | grep -E 'pytest|executor' && escaped $p
        done
        [ $(ls -d /proc/[0-9]* | wc -l) -le 6 ] || escaped "more than its own"
        """,
    ),
    Attack(
        "roots and folders of other processes",
        BASH,
        """
        for p in 1 $PARAM_VICTIM $PARAM_EXECUTOR self; do
          for way in root cwd; do [ -e /proc/$p/$way$PARAM_CANARY ] && escaped $p/$way; done
        done
        """,
    ),
    Attack(
        "the memory of the first process",
        PYTHON,
        """
        for mode in ("rb", "r+b"):
            try:
                open("/proc/1/mem", mode); escaped("memory", mode)
            except OSError:
                pass
        for name in ("maps", "environ", "fd/1", "task/1/mem", "exe", "auxv", "root/etc/passwd"):
            try:
                open(f"/proc/1/{name}", "rb"); escaped(name)
            except OSError:
                pass
        """,
    ),
    Attack(
        "memory of the executor",
        PYTHON,
        """
        for who in (HOST["PARAM_EXECUTOR"], HOST["PARAM_VICTIM"], os.getppid()):
            for name in ("mem", "environ", "maps"):
                try:
                    open(f"/proc/{who}/{name}", "rb").read(1); escaped(who, name)
                except OSError:
                    pass
        """,
    ),
    Attack(
        "signals by number",
        JAVASCRIPT,
        """
        for (const pid of [HOST.PARAM_VICTIM, HOST.PARAM_EXECUTOR, process.ppid, 1].map(Number))
          for (const signal of ['SIGKILL', 'SIGTERM', 'SIGSTOP'])
            try { process.kill(pid, signal); if (pid > 2) escaped(pid); } catch {}
        """,
    ),
    Attack("a signal to everybody", BASH, "kill -KILL -1; kill -KILL 1; kill -STOP 1", False),
    Attack(
        "tracing",
        PYTHON,
        """
        libc = ctypes.CDLL(None, use_errno=True)
        for who in (1, int(HOST["PARAM_VICTIM"]), int(HOST["PARAM_EXECUTOR"]), os.getppid()):
            for request in (16, 0x4206):
                if libc.ptrace(request, who, 0, 0) == 0: escaped(who)
        if libc.ptrace(0, 0, 0, 0) == 0: escaped("being traced")
        """,
    ),
    Attack(
        "memory of another through the kernel",
        PYTHON,
        """
        libc, buffer = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(8)
        class Piece(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
        own = Piece(ctypes.addressof(buffer), 8)
        for who in (1, os.getpid(), int(HOST["PARAM_EXECUTOR"])):
            for way in (libc.process_vm_readv, libc.process_vm_writev):
                if way(who, ctypes.byref(own), 1, ctypes.byref(own), 1, 0) >= 0: escaped(who)
        """,
    ),
    Attack(
        "descriptors of another",
        PYTHON,
        """
        fd = os.pidfd_open(os.getppid() or 1)
        if ctypes.CDLL(None).syscall(438, fd, 1, 0) >= 0: escaped()
        """,
    ),
    Attack(
        "daemon by double fork",
        PYTHON,
        """
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for fd in range(10):
                    try: os.close(fd)
                    except OSError: pass
                os.execve("/usr/bin/sleep", ["kworker/0:1", "1000"], {})
            os._exit(0)
        os.wait()
        """,
    ),
    Attack(
        "daemon that ignores everything", BASH, "(trap '' TERM HUP INT; setsid nohup sleep 1000 >/dev/null 2>&1 &) &"
    ),
    Attack(
        "detached child",
        JAVASCRIPT,
        """
        require('child_process').spawn('sleep', ['1000'], { detached: true, stdio: 'ignore', env: {} }).unref();
        """,
    ),
    Attack("stopped children", BASH, "sleep 1000 & kill -STOP $!; disown"),
    Attack(
        "not dying with its parent",
        PYTHON,
        """
        ctypes.CDLL(None).prctl(1, 0)  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
        if os.fork() == 0:
            if os.fork() == 0: os.execv("/usr/bin/sleep", ["sleep", "1000"])
            os._exit(0)
        os.wait()
        """,
    ),
    Attack(
        "closing every descriptor and going on",
        PYTHON,
        "os.closerange(0, 1024)\nimport time\nwhile True: time.sleep(1)",
        False,
        timeout_seconds=1,
    ),
    Attack(
        "inherited descriptors",
        PYTHON,
        """
        for fd in map(int, os.listdir("/proc/self/fd")):
            try:
                where = os.readlink(f"/proc/self/fd/{fd}")
            except OSError:
                continue
            if fd > 2 and not where.startswith(("/proc/", "/run/oncall/")): escaped(fd, where)
            if "memfd" in where or "socket" in where: escaped(fd, where)
        """,
    ),
    Attack(
        "standard input as a way out",
        PYTHON,
        """
        for fd in (0, 1, 2):
            for name in ("..", "../..", "."):
                try:
                    os.open(name, os.O_RDONLY, dir_fd=fd); escaped(fd)
                except OSError:
                    pass
        """,
    ),
    Attack(
        "core dump",
        BASH,
        "ulimit -c unlimited 2>/dev/null && escaped; (kill -SEGV $BASHPID) 2>/dev/null; ls core* && escaped",
    ),
    Attack(
        "setuid programs",
        BASH,
        """
        for program in su sudo passwd mount umount newgrp chsh ping pkexec; do
          path=$(command -v $program) && [ -u $path ] && setsid -w timeout 2 $path -h </dev/null >/dev/null 2>&1
        done
        cp /usr/bin/id /tmp/id; chmod 6755 /tmp/id; /tmp/id | grep -q 'uid=0\\|euid=0' && escaped
        su -c 'id -u' </dev/null 2>/dev/null | grep -q '^0' && escaped su
        grep -q '^NoNewPrivs:.1' /proc/self/status || escaped privileges
        """,
    ),
    Attack(
        "becoming somebody else",
        PYTHON,
        """
        for change in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]),
            lambda: os.setresuid(0, 0, 0),
                       lambda: os.setuid(65534)):
            try:
                change(); escaped(os.getresuid())
            except OSError:
                pass
        """,
    ),
    Attack(
        "typing into a terminal",
        PYTHON,
        """
        import fcntl, pty, termios
        for path in ("/dev/tty", "/dev/console", "/dev/tty1", "/dev/pts/0", "/dev/ptmx"):
            try:
                fcntl.ioctl(os.open(path, os.O_RDWR | os.O_NOCTTY), termios.TIOCSTI, b"x"); escaped(path)
            except OSError:
                pass
        try:
            open("/dev/tty"); escaped("a controlling terminal")
        except OSError:
            pass
        """,
    ),
    Attack(
        "System V objects of the machine",
        BASH,
        "[ $(ipcs -m -q -s 2>/dev/null | grep -c '^0x') = 0 ] || escaped; ls /dev/mqueue 2>/dev/null && escaped",
    ),
)


@each(ATTACKS)
async def test_nothing_gets_out(attacked: Range, attack: Attack, start: Start) -> None:
    await attacked.suffer(attack, start)


async def test_afterwards_the_executor_is_as_new(attacked: Range) -> None:
    await assert_as_new(attacked.platform)
