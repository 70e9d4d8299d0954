"""Looking at a sandbox from outside: the processes that belong to one execution, and those that wait for one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psutil

from executor.sandbox.prelude import waiting_shell
from executor.sandbox.toolbox import SHELL

_WAITING = [word.encode() for word in waiting_shell(SHELL, 0, 0)[:3]]
_SETTING_UP = {b"bwrap", b"prlimit", b"setpriv", b"sh", b"unshare"}


def processes_of(execution: UUID) -> list[str]:
    """Answers the command lines of all processes whose environment names `execution`: the script and what it began."""
    return [b" ".join(_command_line(pid)).decode() for pid in pids_of(execution)]


def pids_of(execution: UUID) -> set[int]:
    """Answers the numbers of all processes whose environment names `execution`."""
    mark = f"ONCALL_EXECUTION_ID={execution}".encode()
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.add(int(entry.name))
    return found


def cgroups_of(execution: UUID) -> list[Path]:
    """Answers the control groups that an execution still has, if its sandbox did not stand ready before."""
    return [folder for folder in cgroups() if folder.name.startswith(f"{execution}-")]


def used_cgroups_of(executor_pid: int) -> list[Path]:
    """Answers the control groups that once stood ready in an executor, and in which now no shell waits."""
    ours = [folder for folder in cgroups() if f"-{executor_pid}-" in folder.parent.name]
    once_ready = [folder for folder in ours if folder.name.startswith("warm-")]
    return [folder for folder in once_ready if not any(waits(pid) for pid in _members(folder))]


def cgroups() -> Iterator[Path]:
    """Yields every control group; others come and go meanwhile, which this walk, unlike `glob`, does not mind."""
    for folder, _, _ in os.walk("/sys/fs/cgroup"):
        yield Path(folder)


def waits(pid: int) -> bool:
    """Whether a process is the shell of a sandbox that stands ready."""
    return _command_line(pid)[:3] == _WAITING


def stands_ready(pids: list[int]) -> bool:
    """Whether processes are those of one sandbox that stands ready or is being set up, and no other."""
    lines = [_command_line(pid) for pid in pids]
    shells = [line for line in lines if line[:3] == _WAITING]
    others = [line for line in lines if line[:1] and line[0] in _SETTING_UP]
    return len(shells) <= 1 and len(others) <= 2 and len(shells) + len(others) == len(lines)


def goes_on(pid: int) -> bool:
    """Whether a process has not ended: one that has may be listed until its parent asks for its code."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def _members(folder: Path) -> Iterator[int]:
    with contextlib.suppress(OSError):
        yield from (int(line) for line in (folder / "cgroup.procs").read_text().split())


def _command_line(pid: int) -> list[bytes]:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return []
