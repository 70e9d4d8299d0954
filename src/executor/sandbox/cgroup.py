"""What all processes of a sandbox may use together, by cgroups: version 2, or version 1 where the host still has it.

At its start an executor makes one folder of its own in each hierarchy it can write to; each sandbox gets one below.
Where a controller cannot be had, `rlimit` holds what it can and the execution's isolation says so.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from executor.identity import is_alive
from kernel.execution.content import ResourceLimits

log = structlog.get_logger()

CONTROLLERS = ("memory", "pids", "cpu")
PERIOD_MICROSECONDS = 100_000
FOLDER = "oncall"


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted hierarchy: its version, the controllers of ours in it, and this executor's folder there."""

    version: int
    controllers: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, slots=True)
class CgroupRoot:
    """This executor's folders; `controllers` says what holds by which version."""

    hierarchies: tuple[Hierarchy, ...]

    @property
    def controllers(self) -> dict[str, int]:
        return {name: h.version for h in self.hierarchies for name in h.controllers}

    def create(self, name: str, limits: ResourceLimits | None = None) -> Cgroup:
        """Makes the folders of one sandbox, with its limits where they are known; OSError where the kernel refuses."""
        folders: list[tuple[Hierarchy, Path]] = []
        for hierarchy in self.hierarchies:
            folder = hierarchy.folder / name
            folder.mkdir()
            folders.append((hierarchy, folder))
        cgroup = Cgroup(tuple(folders))
        if limits is not None:
            cgroup.limit(limits)
        return cgroup

    def remove(self) -> None:
        """Removes this executor's folders; what is not empty stays for the next start to sweep."""
        for hierarchy in self.hierarchies:
            with suppress(OSError):
                hierarchy.folder.rmdir()


@dataclass(frozen=True, slots=True)
class Cgroup:
    """The folders of one sandbox."""

    folders: tuple[tuple[Hierarchy, Path], ...]

    def limit(self, limits: ResourceLimits) -> None:
        """Bounds what is not bounded yet; OSError where the kernel refuses."""
        for hierarchy, folder in self.folders:
            for file, value in _rules(hierarchy, limits):
                if file not in OPTIONAL or (folder / file).exists():
                    (folder / file).write_text(value)

    def add(self, pid: int) -> None:
        for _, folder in self.folders:
            (folder / "cgroup.procs").write_text(str(pid))

    def pids(self) -> set[int]:
        """Answers the processes inside, as this process numbers them."""
        found: set[int] = set()
        for _, folder in self.folders[:1]:
            with suppress(OSError):
                found |= {int(line) for line in (folder / "cgroup.procs").read_text().split()}
        return found

    def out_of_memory(self) -> bool:
        """Whether the kernel killed a process of it for want of memory."""
        for hierarchy, folder in self.folders:
            if "memory" in hierarchy.controllers:
                file = "memory.events" if hierarchy.version == 2 else "memory.oom_control"
                with suppress(OSError):
                    fields = dict(line.split() for line in (folder / file).read_text().splitlines())
                    return int(fields.get("oom_kill", "0")) > 0
        return False

    def remove(self) -> bool:
        """Removes the folders; False while a process is still in one."""
        gone = True
        for _, folder in self.folders:
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                gone = False
        return gone


def open_root(executor_id: str) -> CgroupRoot:
    """Makes this executor's folders wherever it can, and sweeps those of executors that no longer live."""
    hierarchies: list[Hierarchy] = []
    missing = list(CONTROLLERS)
    for version, names, base in _mounted():
        wanted = tuple(name for name in missing if name in names)
        if not wanted:
            continue
        try:
            folder = _prepare(version, wanted, base, executor_id)
        except OSError as error:
            log.info("cgroup_unavailable", version=version, controllers=wanted, error=error.strerror)
            continue
        hierarchies.append(Hierarchy(version, wanted, folder))
        missing = [name for name in missing if name not in wanted]
    return CgroupRoot(tuple(hierarchies))


def _rules(hierarchy: Hierarchy, limits: ResourceLimits) -> Iterator[tuple[str, str]]:
    quota, memory = str(int(limits.cpus * PERIOD_MICROSECONDS)), str(limits.memory_bytes)
    if hierarchy.version == 2:
        rules = {
            "memory": [("memory.max", memory), ("memory.swap.max", "0")],
            "pids": [("pids.max", str(limits.processes))],
            "cpu": [("cpu.max", f"{quota} {PERIOD_MICROSECONDS}")],
        }
    else:
        rules = {
            "memory": [("memory.limit_in_bytes", memory), ("memory.memsw.limit_in_bytes", memory)],
            "pids": [("pids.max", str(limits.processes))],
            "cpu": [("cpu.cfs_period_us", str(PERIOD_MICROSECONDS)), ("cpu.cfs_quota_us", quota)],
        }
    for controller in hierarchy.controllers:
        yield from rules[controller]


# A kernel without swap accounting has no such file, and then there is nothing to bound.
OPTIONAL = frozenset({"memory.swap.max", "memory.memsw.limit_in_bytes"})


def _mounted() -> Iterator[tuple[int, tuple[str, ...], Path]]:
    """Yields version, controllers and this process's own folder of every hierarchy that is mounted."""
    own = _own_paths()
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        root, mount = left.split()[3:5]
        if kind == "cgroup2":
            # The root of the hierarchy needs no process moved out of the way, where this process may write to it.
            for base in dict.fromkeys((Path(mount), _below(mount, root, own.get("", "/")))):
                with suppress(OSError):
                    yield 2, tuple((base / "cgroup.controllers").read_text().split()), base
        elif kind == "cgroup":
            names = tuple(name for name in CONTROLLERS if name in options.split(","))
            if names:
                yield 1, names, _below(mount, root, own.get(names[0], "/"))


def _own_paths() -> dict[str, str]:
    paths: dict[str, str] = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            paths[name] = path
    return paths


def _below(mount: str, root: str, path: str) -> Path:
    return Path(mount) / Path(path).relative_to(root) if Path(path).is_relative_to(root) else Path(mount)


def _prepare(version: int, wanted: tuple[str, ...], base: Path, executor_id: str) -> Path:
    parent = base / FOLDER
    parent.mkdir(exist_ok=True)
    _sweep(parent)
    folder = parent / executor_id
    if version == 2:
        _delegate(base, wanted)
        _enable(parent, wanted)
    folder.mkdir()
    if version == 2:
        _enable(folder, wanted)
    return folder


def _delegate(base: Path, wanted: tuple[str, ...]) -> None:
    """Enables controllers below `base`; a folder that holds processes cannot, so those move into a leaf first."""
    try:
        _enable(base, wanted)
    except OSError:
        leaf = base / "oncall-processes"
        leaf.mkdir(exist_ok=True)
        for pid in (base / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                (leaf / "cgroup.procs").write_text(pid)
        _enable(base, wanted)


def _enable(folder: Path, wanted: tuple[str, ...]) -> None:
    (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in wanted))


def _sweep(parent: Path) -> None:
    """Kills and removes what executors of this machine left behind that are no longer alive."""
    for folder in parent.iterdir():
        if not folder.is_dir() or is_alive(folder.name):
            continue
        for sandbox in [*(child for child in folder.iterdir() if child.is_dir()), folder]:
            with suppress(OSError):
                for pid in (sandbox / "cgroup.procs").read_text().split():
                    with suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
                sandbox.rmdir()
