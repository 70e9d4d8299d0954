"""The end of all processes in one folder of a hierarchy, and the proof of it.

The kernel does both where it has `cgroup.kill` (version 2, since Linux 5.14). Elsewhere the folder is closed first, so
that a list of its processes can become shorter only: no new one may begin, or none may run.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from pathlib import Path

from executor.sandbox.hierarchy import write

GONE = (errno.ENOENT, errno.ENODEV)


def kill_all(folder: Path) -> None:
    """Kills every process in the folder; they may be gone a moment later only, and below it only with `cgroup.kill`."""
    if _ordered(folder / "cgroup.kill", "1"):
        return
    if not _ordered(folder / "pids.max", "0"):
        _ordered(folder / "cgroup.freeze", "1")
    _signal_each(folder, signal.SIGKILL)


def pids_in(folder: Path) -> set[int]:
    """Answers the processes in the folder, as this process numbers them; not those that it cannot see."""
    try:
        # The kernel writes 0 for a process of another namespace, and to kill 0 is to kill oneself.
        return {int(line) for line in (folder / "cgroup.procs").read_text().split()} - {0}
    except OSError:
        return set()


def is_empty(folder: Path) -> bool:
    """Whether no process is in the folder, nor below it in version 2; a folder that is gone is empty."""
    try:
        if (folder / "cgroup.events").exists():
            return "populated 0" in (folder / "cgroup.events").read_text().splitlines()
        return not (folder / "cgroup.procs").read_text().split()
    except OSError as error:
        if error.errno in GONE:
            return True
        raise


def remove(folder: Path, *, within: float = 0.0) -> None:
    """Removes a folder, if it is there; OSError where it stays for so many seconds, for somebody is in it."""
    deadline = time.monotonic() + within
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return


def _ordered(file: Path, word: str) -> bool:
    """Whether the kernel took the word; not where it has no such file, or keeps it from this user."""
    try:
        write(file, word)
    except OSError:
        return False
    return True


def _signal_each(folder: Path, number: signal.Signals) -> None:
    with contextlib.ExitStack() as opened:
        held: dict[int, int] = {}
        for pid in pids_in(folder):
            with contextlib.suppress(ProcessLookupError):
                held[pid] = os.pidfd_open(pid)
                opened.callback(os.close, held[pid])
        # Whoever is still listed now is who was opened: a process id that came again would stand for somebody else.
        for pid in pids_in(folder) & held.keys():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(held[pid], number)
