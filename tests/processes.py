"""Looking at a sandbox from outside: the processes that belong to one execution, and those that wait for one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psutil

from executor.sandbox.command import IDENTITY, INPUT, WAITING_SHELL

_SHELL = [word.encode() for word in WAITING_SHELL]
_SETTING_UP = {b"bwrap", b"prlimit", b"setpriv", b"sh", b"unshare"}


def processes_of(execution: UUID) -> list[str]:
    """Answers the command lines of all processes of `execution`: the script and what it began."""
    return [b" ".join(_command_line(pid)).decode() for pid in pids_of(execution)]


def pids_of(execution: UUID) -> set[int]:
    """Answers the numbers of all processes of `execution`: their environment names it, or, of a shell that waited for
    it, their sandbox does."""
    mark = f"ONCALL_EXECUTION_ID={execution}".encode()
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                pid = int(entry.name)
                if mark in (entry / "environ").read_bytes().split(b"\0") or _became(pid) == str(execution):
                    found.add(pid)
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
    return _is_shell(_command_line(pid)) and _became(pid) is None


def stands_ready(pids: list[int]) -> bool:
    """Whether processes are those of one sandbox that stands ready or is being set up, and no other."""
    lines = [_command_line(pid) for pid in pids]
    shells = [line for line in lines if _is_shell(line)]
    others = [line for line in lines if line[:1] and line[0] in _SETTING_UP]
    return len(shells) <= 1 and len(others) <= 2 and len(shells) + len(others) == len(lines)


def goes_on(pid: int) -> bool:
    """Whether a process has not ended: one that has may be listed until its parent asks for its code."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def _became(pid: int) -> str | None:
    """Answers the execution that a sandbox's shell has begun; None where it waits for one, or is no such shell."""
    with contextlib.suppress(OSError):
        if _is_shell(_command_line(pid)):
            return Path(f"/proc/{pid}/root{INPUT}/{IDENTITY}").read_text().strip()
    return None


def _is_shell(line: list[bytes]) -> bool:
    return line[:2] == _SHELL


def _members(folder: Path) -> Iterator[int]:
    with contextlib.suppress(OSError):
        yield from (int(line) for line in (folder / "cgroup.procs").read_text().split())


def _command_line(pid: int) -> list[bytes]:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return []
