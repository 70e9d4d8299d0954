"""The hierarchies of control groups that this machine has mounted, and which files of them bound what.

Version 2 is one hierarchy for all controllers. Version 1 has one for each; beside it, many machines mount an empty
version 2, which bounds nothing, but kills at one word and tells when nobody is left.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kernel.execution.content import ResourceLimits

CONTROLLERS = ("memory", "pids", "cpu")
PERIOD_MICROSECONDS = 100_000
PROCESSES_FOLDER = "oncall-processes"
"""Where an executor's own processes move to, for a folder of version 2 that has controllers below holds no process."""

OPTIONAL = frozenset({"memory.swap.max", "memory.oom.group", "memory.memsw.limit_in_bytes"})
"""Without swap accounting there is nothing to bound, and without groups the kernel kills one process at a time."""

MEMORY_EVENTS = {1: "memory.oom_control", 2: "memory.events"}
"""Where the kernel counts whom it killed for want of memory, under `oom_kill`."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted hierarchy: its version, the controllers of ours in it, and this executor's folder there."""

    version: int
    controllers: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, slots=True)
class Place:
    """Where an executor may make a folder of its own: `base`, in a hierarchy that has these of our controllers."""

    version: int
    controllers: tuple[str, ...]
    base: Path


def rules(version: int, controller: str, limits: ResourceLimits) -> list[tuple[str, str]]:
    """Answers which files hold what for `limits`, in the order in which they are to be written."""
    quota, memory = str(int(limits.cpus * PERIOD_MICROSECONDS)), str(limits.memory_bytes)
    match version, controller:
        case 2, "memory":
            # All or none: a script half of whose processes are gone would go on with half of its data.
            return [("memory.max", memory), ("memory.swap.max", "0"), ("memory.oom.group", "1")]
        case 2, "cpu":
            return [("cpu.max", f"{quota} {PERIOD_MICROSECONDS}")]
        case 1, "memory":
            # Memory may never be more than memory with swap; so that one makes room first.
            with_swap = "memory.memsw.limit_in_bytes"
            return [(with_swap, "-1"), ("memory.limit_in_bytes", memory), (with_swap, memory)]
        case 1, "cpu":
            return [("cpu.cfs_period_us", str(PERIOD_MICROSECONDS)), ("cpu.cfs_quota_us", quota)]
        case _, "pids":
            return [("pids.max", str(limits.processes))]
    raise ValueError(f"no rule for {controller} in version {version}")


def files_of(version: int, controller: str) -> set[str]:
    """Answers the files without which a controller bounds nothing; a kernel may be built without some of them."""
    return {name for name, _ in rules(version, controller, ResourceLimits())} - OPTIONAL


def write(file: Path, value: str) -> None:
    """Writes to a file that must be there: the kernel's own folders answer an attempt to make one in various ways."""
    descriptor = os.open(file, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def places(proc: Path) -> Iterator[Place]:
    """Yields where this process may try to make folders, the best place of a hierarchy first."""
    own = _own_paths(proc)
    for line in (proc / "mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        root, mount = left.split()[3:5]
        if kind == "cgroup2":
            beside = _without_leaf(_below(mount, root, own.get("", "/")))
            # The root of the hierarchy needs no process moved out of the way, where this process may write to it.
            for base in dict.fromkeys((Path(mount), beside)):
                with suppress(OSError):
                    names = (base / "cgroup.controllers").read_text().split()
                    yield Place(2, tuple(name for name in CONTROLLERS if name in names), base)
        elif kind == "cgroup":
            found = tuple(name for name in CONTROLLERS if name in options.split(","))
            if found:
                yield Place(1, found, _below(mount, root, own.get(found[0], "/")))


def _own_paths(proc: Path) -> dict[str, str]:
    paths: dict[str, str] = {}
    for line in (proc / "cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            paths[name] = path
    return paths


def _below(mount: str, root: str, path: str) -> Path:
    return Path(mount) / Path(path).relative_to(root) if Path(path).is_relative_to(root) else Path(mount)


def _without_leaf(folder: Path) -> Path:
    """Answers the folder beside whose leaf this process already stands; executors of one service share their place."""
    return folder.parent if folder.name == PROCESSES_FOLDER else folder
