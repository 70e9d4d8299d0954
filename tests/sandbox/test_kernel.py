"""Attacks on the kernel: namespaces, mounts, roots, the settings and secrets that /proc shows, the machine itself."""

from __future__ import annotations

import pytest

from tests.sandbox.aftermath import assert_as_new
from tests.sandbox.attack import BASH, JAVASCRIPT, PYTHON, Attack, each
from tests.sandbox.conftest import Range
from tests.sandbox.starts import Start

pytestmark = pytest.mark.asyncio(loop_scope="module")

ATTACKS = (
    Attack(
        "new namespaces",
        BASH,
        "for kind in user mount net pid uts ipc cgroup; do unshare --$kind true 2>/dev/null && escaped $kind; done",
    ),
    Attack(
        "root in a user namespace",
        BASH,
        "unshare --user --map-root-user id -u 2>/dev/null && escaped; bwrap --bind / / id",
    ),
    Attack(
        "namespaces of others",
        PYTHON,
        """
        libc = ctypes.CDLL(None, use_errno=True)
        for who in ("self", 1, HOST["PARAM_EXECUTOR"], HOST["PARAM_VICTIM"]):
            for kind in ("user", "mnt", "net", "pid", "uts", "ipc", "cgroup"):
                try:
                    if libc.setns(os.open(f"/proc/{who}/ns/{kind}", os.O_RDONLY), 0) == 0: escaped(who, kind)
                except OSError:
                    pass
        """,
    ),
    Attack(
        "writing its own user map",
        PYTHON,
        """
        for name, text in (("uid_map", "0 0 4294967295"), ("gid_map", "0 0 1"), ("setgroups", "allow"),
            ("oom_score_adj", "-1000")):
            for who in ("self", "1"):
                try:
                    os.write(os.open(f"/proc/{who}/{name}", os.O_WRONLY), text.encode()); escaped(who, name)
                except OSError:
                    pass
        """,
    ),
    Attack(
        "mounts",
        BASH,
        """
        for mount in "-t tmpfs x /tmp" "-t proc x /tmp" "-t sysfs x /tmp" "-t cgroup2 x /tmp" "-t overlay x /tmp" \\
            "--bind / /tmp" "-o remount,rw /" "-o remount,rw /usr" "-o remount,rw /dev"; do
          mount $mount 2>/dev/null && escaped "$mount"
        done
        for place in /usr /proc /proc/1 /dev /sandbox; do umount -l $place 2>/dev/null && escaped "umount $place"; done
        """,
    ),
    Attack(
        "another root",
        PYTHON,
        """
        libc = ctypes.CDLL(None, use_errno=True)
        os.mkdir("/tmp/r")
        here = os.open("/", os.O_RDONLY)
        for way in (libc.chroot(b"/tmp/r"), libc.pivot_root(b"/tmp/r", b"/tmp/r") if hasattr(libc,
            "pivot_root") else -1):
            if way == 0: escaped("chroot")
        os.fchdir(here)
        for _ in range(50): os.chdir("..")
        if os.path.exists("." + HOST["PARAM_CANARY"]): escaped("up and out")
        """,
    ),
    Attack(
        "files by handle",
        PYTHON,
        """
        libc = ctypes.CDLL(None, use_errno=True)
        handle = ctypes.create_string_buffer(b"\\x08\\0\\0\\0\\x01\\0\\0\\0\\x02" + bytes(120))
        if libc.open_by_handle_at(os.open("/usr", os.O_RDONLY), handle, os.O_RDONLY) >= 0: escaped()
        """,
    ),
    Attack(
        "settings of the kernel",
        BASH,
        """
        for file in $(find /proc/sys -type f 2>/dev/null); do
          [ -w $file ] && escaped "$file can be written"
        done
        echo '|/tmp/x' 2>/dev/null >/proc/sys/kernel/core_pattern && escaped
        """,
    ),
    Attack(
        "dangerous parts of proc",
        PYTHON,
        """
        for name in ("kcore", "kallsyms", "keys", "key-users", "timer_list", "sched_debug", "kmsg",
            "kpagecount", "kpageflags",
                     "latency_stats", "interrupts", "slabinfo", "vmallocinfo", "modules", "config.gz", "cmdline"):
            try:
                if open("/proc/" + name, "rb").read(1): escaped("read", name)
            except OSError:
                pass
        for name in ("sysrq-trigger", "mtrr", "pressure/cpu", "pressure/memory", "irq/default_smp_affinity",
            "dynamic_debug/control"):
            try:
                os.open("/proc/" + name, os.O_RDWR); escaped("write", name)
            except OSError:
                pass
        for name in ("acpi", "asound", "bus", "fs", "irq", "scsi", "driver", "tty"):
            if os.path.isdir("/proc/" + name) and os.listdir("/proc/" + name): escaped("list", name)
        """,
    ),
    Attack(
        "control groups",
        BASH,
        """
        [ -e /sys/fs/cgroup ] && escaped; mkdir /tmp/cg; mount -t cgroup2 x /tmp/cg 2>/dev/null && escaped
        find / -xdev \\( -name cgroup.procs -o -name release_agent -o -name tasks \\) -writable |
            grep . && escaped
        """,
    ),
    Attack(
        "the clock",
        PYTHON,
        """
        import time
        try:
            time.clock_settime(time.CLOCK_REALTIME, 0); escaped()
        except OSError:
            pass
        if ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(b"\\1" + bytes(300))) == 0: escaped("adjtimex")
        """,
    ),
    Attack(
        "the name of the machine", BASH, "hostname evil 2>/dev/null && escaped; [ $(uname -n) = sandbox ] || escaped"
    ),
    Attack(
        "switching off", BASH, "reboot -f 2>/dev/null && escaped; echo b 2>/dev/null >/proc/sysrq-trigger && escaped"
    ),
    Attack(
        "capabilities",
        PYTHON,
        """
        libc = ctypes.CDLL(None, use_errno=True)
        status = open("/proc/self/status").read()
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            if f"{name}:\\t0000000000000000" not in status: escaped(name)
        if libc.prctl(47, 2, 21, 0, 0) == 0: escaped("an ambient capability")
        if libc.prctl(38, 0, 0, 0, 0) == 0: escaped("new privileges")
        """,
    ),
    Attack(
        "taking the filter off",
        PYTHON,
        """
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(22, 0)
        if "Seccomp:\\t2" not in open("/proc/self/status").read(): escaped()
        if libc.syscall(272, 0x10000000) == 0: escaped("unshare")
        """,
    ),
    Attack(
        "calls of another architecture",
        PYTHON,
        """
        import mmap
        if os.uname().machine == "x86_64":
            code = mmap.mmap(-1, 4096, prot=7)
            code.write(bytes.fromhex("b814000000cd80c3"))  # getpid as a 32-bit program asks for it
            ask = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
            if ask() > 0: escaped("int 0x80")
        """,
        False,
    ),
    Attack(
        "x32 calls",
        PYTHON,
        "if os.uname().machine == 'x86_64' and ctypes.CDLL(None).syscall(0x40000000 + 39) > 0: escaped()",
        False,
    ),
    Attack(
        "new parts of the kernel",
        PYTHON,
        """
        libc, room = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(256)
        for name, number in {"bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "io_uring_setup": 425,
            "keyctl": 250,
                             "init_module": 175, "kexec_load": 246, "fanotify_init": 300}.items():
            if os.uname().machine == "x86_64" and libc.syscall(number, 0, room, 16, 0, 0) >= 0: escaped(name)
        """,
    ),
    Attack(
        "another control group",
        PYTHON,
        """
        libc = ctypes.CDLL(None, use_errno=True)
        for line in open("/proc/self/cgroup"):
            path = line.rstrip().split(":", 2)[2]
            for mount in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory", "/proc/self/root/sys"):
                for name in ("cgroup.procs", "../cgroup.procs", "memory.max", "pids.max", "cgroup.kill"):
                    if os.access(f"{mount}{path}/{name}", os.F_OK): escaped(mount, path)
        for kind in (b"cgroup", b"cgroup2"):
            if libc.mount(kind, b"/tmp", kind, 0, None) == 0: escaped(kind)
        if libc.unshare(0x02000000) == 0: escaped("a cgroup namespace")
        """,
    ),
    Attack(
        "children that clone makes elsewhere",
        PYTHON,
        """
        import struct
        libc = ctypes.CDLL(None, use_errno=True)
        into_cgroup, new_user, new_pid, untraced = 0x200000000, 0x10000000, 0x20000000, 0x00800000
        where = os.open("/tmp", os.O_RDONLY)
        if os.uname().machine == "x86_64":
            for flags in (into_cgroup, new_user, new_user | new_pid, new_pid):
                words = struct.pack("11Q", flags, 0, 0, 0, 17, 0, 0, 0, 0, 0, where)
                pid = libc.syscall(435, words, len(words))  # clone3
                if pid == 0: os._exit(0)
                if pid > 0: escaped("clone3", hex(flags))
            for flags in (new_user, new_pid, new_user | new_pid):
                pid = libc.syscall(56, flags | untraced | 17, 0, 0, 0, 0)  # clone
                if pid == 0: os._exit(0)
                if pid > 0: escaped("clone", hex(flags))
        """,
    ),
    Attack(
        "rings, keys and sockets of the kernel's own",
        PYTHON,
        """
        libc, room = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(256)
        if os.uname().machine == "x86_64":
            calls = {"io_uring_setup": (425, 8, room), "io_uring_register": (427, 0, 0, 0, 0),
                     "add_key": (248, b"user", b"k", b"v", 1, -3), "request_key": (249, b"user", b"k", 0, -3),
                     "keyctl": (250, 0, -3, 1), "vsock": (41, 40, 1, 0),
                     "sethostname": (170, b"evil", 4), "setdomainname": (171, b"evil", 4),
                     "settimeofday": (164, room, 0), "clock_adjtime": (305, 0, room), "quotactl": (179, 0, 0, 0, 0),
                     "swapon": (167, b"/tmp/s", 0), "acct": (163, b"/tmp/a"), "syslog": (103, 3, room, 256)}
            for name, arguments in calls.items():
                if libc.syscall(*arguments) >= 0: escaped(name)
        """,
    ),
    Attack(
        "typing into its own terminal",
        JAVASCRIPT,
        """
        for (const path of ['/dev/tty', '/dev/console', '/dev/pts/0', '/dev/vcs', '/dev/tty0', '/dev/hvc0'])
          try { fs.writeSync(fs.openSync(path, 'r+'), 'x'); escaped(path); } catch {}
        if (process.stdout.isTTY || process.stdin.isTTY) escaped('a terminal');
        """,
    ),
    Attack(
        "namespaces and the clock, through programs",
        JAVASCRIPT,
        """
        const { spawnSync } = require('child_process');
        for (const words of [['unshare', '-Ur', 'true'], ['unshare', '-C', 'true'], ['date', '-s', '2001-01-01'],
            ['hostname', 'evil'], ['nsenter', '-t', '1', '-a', 'true'], ['chroot', '/tmp', 'true'],
            ['sysctl', '-w', 'kernel.hostname=evil'], ['dmesg'], ['losetup', '-f'], ['mknod', '/tmp/m', 'c', '1', '1']])
          if (spawnSync(words[0], words.slice(1)).status === 0) escaped(...words);
        """,
    ),
)


@each(ATTACKS)
async def test_nothing_gets_out(attacked: Range, attack: Attack, start: Start) -> None:
    await attacked.suffer(attack, start)


async def test_afterwards_the_executor_is_as_new(attacked: Range) -> None:
    await assert_as_new(attacked.platform)
