"""Looking at the machine for anything that a fleet's executors have left: processes, control groups, files."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from executor.identity import started
from executor.settings import SandboxSettings
from executor.wiring import UIDS_PER_EXECUTOR
from tests.chaos.fleet import Fleet, Life
from tests.processes import cgroups


def left_by(fleet: Fleet, execution_ids: Sequence[str]) -> Iterator[str]:
    """Yields what is there and must not be; call it when every executor of the fleet has been stopped."""
    executions = frozenset(f"ONCALL_EXECUTION_ID={execution_id}" for execution_id in execution_ids)
    database = f"ONCALL_DATABASE_URL={fleet.database_url}"
    users = [_users_of(life) for life in fleet.executors if os.geteuid() == 0 and not _taken_again(life)]
    for pid, uid, environment in _processes():
        if any(uid in range_ for range_ in users):
            yield f"process {pid} of the sandbox user {uid}: {_command_of(pid)}"
        elif executions & environment:
            yield f"process {pid} of an execution: {_command_of(pid)}"
        elif database in environment:
            yield f"process {pid} of the fleet: {_command_of(pid)}"
    names = tuple(f"{socket.gethostname()[:60]}-{life.pid}-{life.started}-" for life in fleet.executors)
    for folder in cgroups():
        if folder.parent.name == "oncall" and folder.name.startswith(names):
            yield f"control group {folder}"
    yield from (f"file {path}" for path in fleet.scratch.rglob("*"))


def _users_of(life: Life) -> range:
    first = SandboxSettings().sandbox_uid_base + (life.pid % 100_000) * UIDS_PER_EXECUTOR
    return range(first, first + UIDS_PER_EXECUTOR)


def _taken_again(life: Life) -> bool:
    """Whether somebody else's process has that executor's number now, and with it perhaps the same users."""
    with suppress(OSError):
        return started(life.pid) != life.started
    return False


def _processes() -> Iterator[tuple[int, int, frozenset[str]]]:
    """Yields number, user and environment of all processes of this machine that have not ended."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if (entry / "stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                    continue
                environment = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
                yield int(entry.name), entry.stat().st_uid, frozenset(environment)


def _command_of(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:200]
    return "?"
