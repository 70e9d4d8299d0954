"""What all processes of a sandbox may use together, and their common end, by cgroups of version 2 or 1.

At its start an executor makes one folder of its own in each hierarchy it can write to; each sandbox gets one below.
Where a controller cannot be had, `rlimit` holds what it can and the execution's isolation says so.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from executor.sandbox.cgroup_kill import is_empty, kill_all, pids_in, remove
from executor.sandbox.delegation import make_folder, shared_folder
from executor.sandbox.hierarchy import CONTROLLERS, MEMORY_EVENTS, OPTIONAL, Hierarchy, Place, places, rules, write
from executor.sandbox.sweep import sweep
from kernel.execution.content import ResourceLimits

log = structlog.get_logger()

KILL_AGAIN_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 0.05
REMOVAL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class CgroupRoot:
    """This executor's folders; `controllers` says what holds by which version."""

    hierarchies: tuple[Hierarchy, ...]
    locks: tuple[int, ...] = ()
    """Descriptors that are open for as long as the executor lives, see `delegation`."""

    @property
    def controllers(self) -> dict[str, int]:
        return {name: h.version for h in self.hierarchies for name in h.controllers}

    @property
    def kills_at_once(self) -> bool:
        """Whether the kernel kills a whole sandbox at one word, also what is born meanwhile."""
        return any((h.folder / "cgroup.kill").exists() for h in self.hierarchies)

    def create(self, name: str, limits: ResourceLimits | None = None) -> Cgroup:
        """Makes the folders of one sandbox; OSError where the kernel refuses, and then there is none.

        Without `limits` nothing is bounded until `Cgroup.limit`: for a sandbox that stands before its script is known.
        """
        folders: list[tuple[Hierarchy, Path]] = []
        cgroup = Cgroup(())
        try:
            for hierarchy in self.hierarchies:
                folder = hierarchy.folder / name
                folder.mkdir(mode=0o700)
                folders.append((hierarchy, folder))
            cgroup = Cgroup(tuple(folders))
            if limits is not None:
                cgroup.limit(limits)
        except BaseException:
            Cgroup(tuple(folders)).remove()
            raise
        return cgroup

    def remove(self) -> None:
        """Removes this executor's folders; what is not empty stays for the next start to sweep."""
        Cgroup(tuple((hierarchy, hierarchy.folder) for hierarchy in self.hierarchies)).remove()
        for lock in self.locks:
            os.close(lock)


@dataclass(frozen=True, slots=True)
class Cgroup:
    """The folders of one sandbox."""

    folders: tuple[tuple[Hierarchy, Path], ...]

    def limit(self, limits: ResourceLimits) -> None:
        """Bounds what is inside, or will be; a second time it bounds anew. OSError where the kernel refuses."""
        for hierarchy, folder in self.folders:
            for controller in hierarchy.controllers:
                for file, value in rules(hierarchy.version, controller, limits):
                    if file not in OPTIONAL or (folder / file).exists():
                        write(folder / file, value)

    def add(self, pid: int) -> None:
        for _, folder in self.folders:
            write(folder / "cgroup.procs", str(pid))

    def pids(self) -> set[int]:
        """Answers the processes inside, as this process numbers them."""
        return next((pids_in(folder) for _, folder in self._best_first()), set())

    def kill(self) -> None:
        """Kills every process inside; `emptied` says when they are gone."""
        for _, folder in self._best_first():
            kill_all(folder)
            if (folder / "cgroup.kill").exists():
                return

    def empty(self) -> bool:
        """Whether nobody is inside, as every hierarchy says; without any it is the process namespace that tells."""
        return all(is_empty(folder) for _, folder in self.folders)

    async def emptied(self) -> None:
        """Waits until nobody is inside, and kills again whoever stays: nothing is said to be over before."""
        loop = asyncio.get_running_loop()
        pause, again_at = 0.001, loop.time() + KILL_AGAIN_SECONDS
        while not self.empty():
            if loop.time() > again_at:
                log.warning("cgroup_not_empty", folders=[str(folder) for _, folder in self.folders], pids=self.pids())
                self.kill()
                again_at = loop.time() + KILL_AGAIN_SECONDS
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def out_of_memory(self) -> bool:
        """Whether the kernel killed a process of it for want of memory.

        Also where what ran out was more than its own: that of the executor's service, or of the machine.
        """
        for hierarchy, folder in self.folders:
            if "memory" in hierarchy.controllers:
                with suppress(OSError, ValueError):
                    lines = (folder / MEMORY_EVENTS[hierarchy.version]).read_text().splitlines()
                    return int(dict(line.split(maxsplit=1) for line in lines).get("oom_kill", "0")) > 0
        return False

    def remove(self) -> bool:
        """Removes the folders; False, and a word in the log, where one stays."""
        left = self._not_removed()
        for folder, reason in left:
            log.warning("cgroup_not_removed", folder=str(folder), error=reason)
        return not left

    async def removed(self) -> bool:
        """Removes the folders as `remove` does, once the kernel lets go of them: it may be a moment late."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + REMOVAL_SECONDS
        while self._not_removed():
            if loop.time() > deadline:
                return self.remove()
            await asyncio.sleep(0.005)
        return True

    def _not_removed(self) -> list[tuple[Path, str | None]]:
        left = []
        for _, folder in self.folders:
            try:
                remove(folder)
            except OSError as error:
                left.append((folder, error.strerror))
        return left

    def _best_first(self) -> list[tuple[Hierarchy, Path]]:
        return sorted(self.folders, key=lambda held: -held[0].version)


def open_root(executor_id: str, proc: Path = Path("/proc/self")) -> CgroupRoot:
    """Makes this executor's folders wherever it can, and sweeps those of executors that no longer live.

    `proc` is where this process reads what is mounted and where it stands itself.
    """
    hierarchies: list[Hierarchy] = []
    locks: list[int] = []
    missing = list(CONTROLLERS)
    for place in places(proc):
        # Version 2 is of use without a controller too: it kills, and tells when nobody is left.
        useful = any(name in missing for name in place.controllers) or place.version == 2
        if not useful or any(place.version == h.version == 2 for h in hierarchies):
            continue
        wanted = tuple(name for name in missing if name in place.controllers)
        try:
            hierarchy, lock = _open(place, wanted, executor_id)
        except OSError as error:
            log.info("cgroup_unavailable", version=place.version, folder=str(place.base), error=error.strerror)
            continue
        hierarchies.append(hierarchy)
        locks.append(lock)
        missing = [name for name in missing if name not in hierarchy.controllers]
    return CgroupRoot(tuple(hierarchies), tuple(locks))


def _open(place: Place, wanted: tuple[str, ...], executor_id: str) -> tuple[Hierarchy, int]:
    with shared_folder(place) as shared:
        sweep(shared)
        return make_folder(place, shared, wanted, executor_id)
