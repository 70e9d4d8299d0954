"""Looking at a sandbox from outside: the processes that belong to one execution."""

from __future__ import annotations

import contextlib
from pathlib import Path
from uuid import UUID


def processes_of(execution: UUID) -> list[str]:
    """Answers the command lines of all processes whose environment names `execution`: the script and what it began."""
    mark = f"ONCALL_EXECUTION_ID={execution}".encode()
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def cgroups_of(execution: UUID) -> list[Path]:
    """Answers the control groups that an execution still has."""
    return list(Path("/sys/fs/cgroup").rglob(f"{execution}-*"))
