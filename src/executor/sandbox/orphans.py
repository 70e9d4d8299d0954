"""First processes of sandboxes that never came to be, because their monitor was killed while it made them.

Bubblewrap's child asks the kernel to die with its parent only once the parent has written its user map. A parent that
is killed within these microseconds, as a `kill -9` of its executor kills it, leaves a child that waits for it for ever:
it has run nothing, is in no cgroup of ours yet, and holds a little memory. An executor ends such processes when it
starts and when it stops.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import structlog

from executor.sandbox.command import WAITING_SHELL

log = structlog.get_logger()

_BUBBLEWRAP = "bwrap"
_OURS = (b"--json-status-fd", b"--block-fd", *(word.encode() for word in WAITING_SHELL))


def kill_orphans() -> int:
    """Kills first processes whose monitor is gone, whichever executor's they were; answers how many.

    One whose monitor lives has it as its parent, so nothing is touched of an executor that lives. Processes of others
    that this one may not signal are left alone.
    """
    killed = 0
    for pid in _orphans():
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(pid)
            try:
                if _is_orphan(pid):  # and not somebody who was given the same number meanwhile
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                    killed += 1
            finally:
                os.close(descriptor)
    if killed:
        log.info("orphans_killed", processes=killed)
    return killed


def _orphans() -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _is_orphan(int(entry.name)):
            yield int(entry.name)


def _is_orphan(pid: int) -> bool:
    with contextlib.suppress(OSError, IndexError, ValueError):
        if _name_of(pid) != _BUBBLEWRAP:
            return False
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return all(word in words for word in _OURS) and _is_first(pid) and _name_of(_parent_of(pid)) != _BUBBLEWRAP
    return False


def _is_first(pid: int) -> bool:
    """Whether it is the first process of a namespace within ours, which a monitor is not."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("NSpid:"):
            numbers = line.split()[1:]
            return len(numbers) > 1 and numbers[-1] == "1"
    return False


def _name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
