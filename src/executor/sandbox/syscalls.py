"""Which system calls a script may make: all that are known and harmless in a sandbox; what is new is unknown to it.

An allow-list, made of everything the library knows less what is named here. What is named fails with EPERM; what the
library does not know yet fails with ENOSYS, as on an older kernel, so that programs take the older way. Calls of
another architecture (32 bit, x32) kill the process: the filter is for the native one alone.
"""

from __future__ import annotations

import errno
import socket
from functools import cache

from executor.sandbox.libseccomp import ALLOW, MASKED_EQUAL, Argument, Filter, known_calls
from executor.sandbox.libseccomp import errno as fails

# Mounts and roots: the view of the file system is made once, before the script.
_MOUNTS = """mount umount umount2 pivot_root chroot move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr
    open_by_handle_at name_to_handle_at"""
# Joining or making a namespace is a way to privileges inside it, and to kernel code few have tested.
_NAMESPACES = "unshare setns"
# Other processes' memory, registers and descriptors.
_PROCESSES = "ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_getfd"
# Modules, other kernels, tracing, the kernel's log; and keys, which are shared across namespaces.
_KERNEL = """init_module finit_module delete_module create_module query_module get_kernel_syms kexec_load
    kexec_file_load bpf perf_event_open userfaultfd syslog lookup_dcookie reboot keyctl add_key request_key"""
# Another way to make system calls, past any filter.
_RINGS = "io_uring_setup io_uring_enter io_uring_register"
# The machine: clock, name, swap, accounting, quotas, ports, watching the file system.
_MACHINE = """settimeofday clock_settime clock_adjtime adjtimex stime sethostname setdomainname swapon swapoff acct
    quotactl quotactl_fd ioperm iopl modify_ldt fanotify_init vhangup"""
# Long dead.
_DEAD = "nfsservctl uselib ustat sysfs _sysctl afs_syscall vserver tuxcall putpmsg getpmsg security vm86 vm86old"

REFUSED = frozenset(f"{_MOUNTS} {_NAMESPACES} {_PROCESSES} {_KERNEL} {_RINGS} {_MACHINE} {_DEAD}".split())

# CLONE_NEW…: cgroup, uts, ipc, user, pid, net, and mount namespaces.
NEW_NAMESPACES = (0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x00020000)
TYPE_BITS = 0xF  # of a socket's type; above it are flags
TERMINAL_INJECTION = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)  # plain Linux, 32-bit uname, and asking
INT_BITS = 0xFFFFFFFF


@cache
def programs() -> tuple[bytes, bytes]:
    """Answers two filters, both of which a call must pass, as bubblewrap's `--add-seccomp-fd` takes them.

    The first knows calls by name, the second refuses some by their arguments, which one filter cannot do as safely:
    "any but these" over an argument of which the kernel reads half is only sound as "refuse these". UnavailableError
    where they cannot be made.
    """
    return _by_name(), _by_argument()


def _by_name() -> bytes:
    with Filter(fails(errno.ENOSYS)) as rules:
        for name in known_calls():
            if name in REFUSED:
                rules.add(fails(errno.EPERM), name)
            elif name not in {"clone3", "socket", "personality"}:
                rules.add(ALLOW, name)
        # clone3 hides its flags behind a pointer: without it, programs use clone, whose flags can be seen.
        for family in (socket.AF_UNIX, socket.AF_NETLINK):
            rules.add(ALLOW, "socket", [_is(0, family)])
        for family in (socket.AF_INET, socket.AF_INET6):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                rules.add(ALLOW, "socket", [_is(0, family), Argument(1, MASKED_EQUAL, TYPE_BITS, kind)])
        for value in PERSONALITIES:
            rules.add(ALLOW, "personality", [_is(0, value)])
        return rules.export()


def _by_argument() -> bytes:
    with Filter(ALLOW) as rules:
        for request in TERMINAL_INJECTION:
            rules.add(fails(errno.EPERM), "ioctl", [_is(1, request)])
        for flag in NEW_NAMESPACES:
            rules.add(fails(errno.EPERM), "clone", [Argument(0, MASKED_EQUAL, flag, flag)])
        return rules.export()


def _is(index: int, value: int) -> Argument:
    """An int argument: the kernel reads the lower half of its register, so the upper half must not matter."""
    return Argument(index, MASKED_EQUAL, INT_BITS, value)
