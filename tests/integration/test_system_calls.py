"""System calls that a script has no business with, each tried from inside."""

from __future__ import annotations

import json
import platform as platform_module

import pytest

from kernel.execution.content import ScriptLanguage
from kernel.execution.status import ExecutionStatus
from tests.integration.conftest import Platform

pytestmark = pytest.mark.usefixtures("executor")

EPERM, ENOSYS = 1, 38

TRY = """
import ctypes, errno, fcntl, json, os, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
found = {}

def call(name, number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) for a in arguments))
    found[name] = 0 if result >= 0 else ctypes.get_errno()

def attempt(name, work):
    try:
        work()
        found[name] = 0
    except OSError as error:
        found[name] = error.errno

CALLS = {"mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "unshare": 272, "setns": 308, "ptrace": 101,
    "process_vm_readv": 310, "keyctl": 250, "add_key": 248, "bpf": 321, "perf_event_open": 298, "kexec_load": 246,
    "init_module": 175, "delete_module": 176, "userfaultfd": 323, "io_uring_setup": 425, "settimeofday": 164,
    "sethostname": 170, "swapon": 167, "reboot": 169, "syslog": 103, "open_by_handle_at": 304, "pidfd_getfd": 438}
for name, number in CALLS.items():
    call(name, number, 0, 0, 0, 0, 0)
call("clone3", 435, 0, 0)
call("clone with a user namespace", 56, 0x10000000 | 17, 0, 0, 0, 0)
call("clone with a mount namespace", 56, 0x00020000 | 17, 0, 0, 0, 0)
call("personality", 135, 0x0040000)
for name, family in {"packet": 17, "vsock": 40, "alg": 38, "bluetooth": 31}.items():
    attempt(name, lambda: socket.socket(family, socket.SOCK_STREAM))
attempt("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
call("TIOCSTI", 16, 0, 0x5412, 0)
call("TIOCSTI with the upper half set", 16, 0, 0x1_0000_5412, 0)
call("TIOCLINUX", 16, 0, 0x541C, 0)
print(json.dumps(found))
"""


@pytest.mark.skipif(platform_module.machine() != "x86_64", reason="the numbers of the system calls are those of x86-64")
async def test_each_is_refused_and_none_ends_the_script(platform: Platform) -> None:
    done = await platform.run(TRY, ScriptLanguage.PYTHON)

    assert done.status == ExecutionStatus.COMPLETED, done.stderr
    found = json.loads(done.stdout)
    assert len(found) > 35
    assert {name: number for name, number in found.items() if number not in (EPERM, ENOSYS)} == {}


async def test_what_ordinary_programs_do_still_works(platform: Platform) -> None:
    script = """
import multiprocessing, socket, subprocess, tempfile, threading, sqlite3, ssl, asyncio
subprocess.run(["ls", "/"], check=True, stdout=subprocess.DEVNULL)
threading.Thread(target=int).start()
multiprocessing.get_context("spawn").Process(target=int).start()
a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"
with socket.create_server(("127.0.0.1", 0)) as server: pass
with tempfile.NamedTemporaryFile() as file: file.write(b"x")
sqlite3.connect(":memory:").execute("select 1"); ssl.create_default_context()
asyncio.run(asyncio.sleep(0))
print("fine")
"""
    done = await platform.run(script, ScriptLanguage.PYTHON)

    assert done.stdout == b"fine\n", done.stderr


async def test_workers_of_node_and_pipes_of_bash_still_work(platform: Platform) -> None:
    node = "new (require('worker_threads').Worker)('console.log(6*7)', {eval: true})"
    assert (await platform.run(node, ScriptLanguage.JAVASCRIPT)).stdout == b"42\n"
    bash = "seq 1000 | sort -n | tail -1; cat <(echo a) <(echo b); mktemp -d >/dev/null && mkfifo f && echo fine"
    assert (await platform.run(bash)).stdout == b"1000\na\nb\nfine\n"
