"""The machine around the sandbox: baits that no script may touch, and whether it is as it was before an attack."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from executor.settings import ExecutorSettings
from executor.wiring import UIDS_PER_EXECUTOR
from tests.processes import cgroups_of, processes_of, stands_ready, used_cgroups_of

CANARY = b"nobody changes this\n"
CANARY_SECRET = "the-executors-own-secret"
SETTINGS_OF_THE_KERNEL = (
    "kernel/core_pattern",
    "kernel/hostname",
    "kernel/pid_max",
    "kernel/msgmax",
    "vm/overcommit_memory",
)


@dataclass(frozen=True, slots=True)
class Outside:
    """Baits on this machine: a file, a process, and listeners on three kinds of socket."""

    canary: Path
    process: subprocess.Popen[bytes]
    listeners: tuple[socket.socket, ...]
    uids: range | None
    """The users that this executor's sandboxes run as; None where they run as whoever runs the tests."""

    def targets(self) -> dict[str, Any]:
        """Answers the parameters of every attack: where the baits are, as scripts know the machine well."""
        tcp, abstract, path = (listener.getsockname() for listener in self.listeners)
        return {
            "canary": str(self.canary),
            "victim": self.process.pid,
            "executor": os.getpid(),
            "port": tcp[1],
            "abstract": abstract[1:].decode(),
            "socket": path,
        }

    def state(self) -> dict[str, Any]:
        """Answers what must be the same after every attack."""
        return {
            "canary": (self.canary.read_bytes(), self.canary.stat().st_mode, self.canary.stat().st_nlink),
            "beside the canary": sorted(path.name for path in self.canary.parent.iterdir()),
            "victim": self.process.poll(),
            "mounts": Path("/proc/self/mountinfo").read_text(),
            "settings": {name: Path("/proc/sys", name).read_text() for name in SETTINGS_OF_THE_KERNEL},
            "limits": Path("/proc/self/limits").read_text(),
            "clock": round((time.time() - time.monotonic()) / 10),
        }

    def connections(self) -> list[str]:
        """Answers the listeners that somebody has connected to."""
        reached = []
        for listener in self.listeners:
            with suppress(BlockingIOError):
                listener.accept()[0].close()
                reached.append(str(listener.getsockname()))
        return reached

    def left_of(self, execution: UUID) -> list[str]:
        """Answers what an execution has left: processes, by their user and by their environment, and cgroups.

        The sandboxes that stand ready for the next ones are whole and untouched, or they are left too.
        """
        left = processes_of(execution)
        left += [str(folder) for folder in cgroups_of(execution) + used_cgroups_of(os.getpid())]
        of_user: dict[int, list[int]] = defaultdict(list)
        for pid, uid in _processes():
            if self.uids is not None and uid in self.uids:
                of_user[uid].append(pid)
        left += [f"processes {pids}" for pids in of_user.values() if not stands_ready(pids)]
        return left


@contextmanager
def baited(folder: Path, settings: ExecutorSettings) -> Iterator[Outside]:
    """Lays the baits out; `folder` is one that everybody may pass."""
    with ExitStack() as laid:
        canary = folder / "canary"
        canary.write_bytes(CANARY)
        canary.chmod(0o666)  # so that only the sandbox keeps a script from it
        listeners = tuple(laid.enter_context(listener) for listener in _listeners(folder))
        process = laid.enter_context(subprocess.Popen(["sleep", "1000"], env={"CANARY": CANARY_SECRET}))
        laid.callback(process.send_signal, signal.SIGKILL)
        first = settings.sandbox_uid_base + (os.getpid() % 100_000) * UIDS_PER_EXECUTOR
        uids = range(first, first + UIDS_PER_EXECUTOR) if os.geteuid() == 0 else None
        yield Outside(canary, process, listeners, uids)


def _listeners(folder: Path) -> Iterator[socket.socket]:
    yield _listening(socket.AF_INET, ("127.0.0.1", 0))
    yield _listening(socket.AF_UNIX, f"\0oncall-bait-{os.getpid()}")
    path = folder / "socket"
    yield _listening(socket.AF_UNIX, str(path))
    path.chmod(0o777)


def _listening(family: socket.AddressFamily, address: Any) -> socket.socket:
    listener = socket.socket(family)
    listener.bind(address)
    listener.listen()
    listener.setblocking(False)
    return listener


def _processes() -> Iterator[tuple[int, int]]:
    """Yields every process of this machine with its user; not those that are dead and wait for init to count them."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if (entry / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                    yield int(entry.name), entry.stat().st_uid
