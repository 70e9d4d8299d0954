"""A sandbox that stands ready before anybody knows what for: set up, in its cgroup, filtered, a shell waiting in it.

What is only known with the job comes later. The script, its parameters and secrets are files, written from outside into
a tmpfs that the sandbox sees read-only: it is mounted in a mount namespace that bubblewrap is started in, so no path of
the machine leads to it, and it is gone with the sandbox. The environment and the interpreter reach the shell through an
anonymous file (`prelude`). Limits that are not the usual ones are written to the cgroup. Only what bubblewrap or an
rlimit fixed, the size of the disk above all, must be what the job asks for: its `shape`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace

from executor.sandbox.cgroup import CgroupRoot
from executor.sandbox.command import (
    Job,
    Opened,
    inputs_of,
    open_waiting_command,
    program_of,
    variables_of,
    write_whole,
)
from executor.sandbox.handover import Handover
from executor.sandbox.prelude import prelude_of
from executor.sandbox.process import Sandbox, SandboxError, as_user, rlimits, set_up, stand_up
from executor.sandbox.toolbox import Toolbox
from kernel.execution.content import ResourceLimits

INPUT_BYTES = 16 * 1024 * 1024
"""More than the largest script with the largest parameters and fifty secrets."""
INPUT_MOUNT = "/sys"
"""What the tmpfs covers in bubblewrap's own mount namespace: a folder that every machine has, and no sandbox shows."""
_MOUNT = f'mount -t tmpfs -o "size=$1,mode=0755,uid=$2,gid=$2" oncall {INPUT_MOUNT} && shift 2 && exec "$@"'


def shape_of(limits: ResourceLimits, cgroups: CgroupRoot) -> ResourceLimits:
    """Answers `limits` with the usual values in place of those that can still be changed when a sandbox stands."""
    usual, held = ResourceLimits(), cgroups.controllers
    return replace(
        usual,
        disk_bytes=limits.disk_bytes,
        memory_bytes=usual.memory_bytes if "memory" in held else limits.memory_bytes,
        processes=usual.processes if "pids" in held else limits.processes,
    )


class Standing:
    """One sandbox that waits; used once, by `hand_over` or by `discard`."""

    def __init__(
        self,
        sandbox: Sandbox,
        shape: ResourceLimits,
        handover: Handover,
        toolbox_state: tuple[object, ...],
        user: int | None,
    ) -> None:
        self.shape = shape
        self._sandbox = sandbox
        self._handover = handover
        self._toolbox_state = toolbox_state
        self._user = user
        self._inputs_fd = -1

    @property
    def pids(self) -> set[int]:
        return self._sandbox.pids()

    def fits(self, toolbox: Toolbox) -> bool:
        """Whether it still lives, and still shows what a new one would."""
        return self._sandbox.alive and self._toolbox_state == toolbox.state()

    async def begin(self) -> None:
        """Lets the shell come into being, bounded as is usual, and waits until it waits."""
        self._sandbox.limit(self.shape)
        await stand_up(self._sandbox, self._handover)
        self._inputs_fd = os.open(f"/proc/{self._sandbox.monitor_pid}/root{INPUT_MOUNT}", os.O_RDONLY | os.O_DIRECTORY)
        os.mkdir("secrets", 0o700, dir_fd=self._inputs_fd)
        if self._user is not None:
            os.chown("secrets", self._user, self._user, dir_fd=self._inputs_fd)

    def hand_over(self, job: Job, before_release: Callable[[Sandbox], object] = bool) -> Sandbox:
        """Bounds it for `job`, if that is not as usual, and lets the script begin.

        OSError or ValueError where it cannot, or what `before_release` raises: then `discard` it. Blocks for the few
        system calls that this takes; nothing else may be between an attempt and its script.
        """
        prelude = prelude_of(variables_of(job), program_of(job), self._handover.inside)
        if job.limits != self.shape:
            self._sandbox.limit(job.limits)
        for name, data in inputs_of(job).items():
            self._write(name, data)
        os.chmod("secrets", 0o500, dir_fd=self._inputs_fd)
        self._handover.write(prelude)
        before_release(self._sandbox)
        self._handover.begin()
        self._shut()
        return self._sandbox

    async def discard(self) -> None:
        """Ends it unused."""
        self._shut()
        await self._sandbox.close()

    def _write(self, name: str, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(name, flags, 0o400, dir_fd=self._inputs_fd)
        try:
            if self._user is not None:
                os.fchown(descriptor, self._user, self._user)
            write_whole(descriptor, data)
        finally:
            os.close(descriptor)

    def _shut(self) -> None:
        self._handover.close()
        if self._inputs_fd >= 0:
            os.close(self._inputs_fd)
            self._inputs_fd = -1


async def stand(
    shape: ResourceLimits, *, cgroups: CgroupRoot, name: str, user: int | None, toolbox: Toolbox, resources: ExitStack
) -> Standing:
    """Answers a sandbox that waits for a job of this shape; SandboxError where it cannot be had.

    `resources` are closed when the sandbox is gone, also where it could not be had.
    """
    handover, state = Handover(), toolbox.state()

    def open_words(inherited: ExitStack) -> Opened:
        opened = open_waiting_command(shape.disk_bytes, toolbox, INPUT_MOUNT, handover.inside[1], inherited)
        return Opened(opened.words, [*opened.descriptors, *handover.inside])

    words = [*_own_mounts(user), *as_user(user), *rlimits(shape, cgroups)]
    try:
        sandbox = await set_up(open_words, words, None, cgroups, name, resources)
    except BaseException:
        handover.close()
        raise
    handover.passed_on()
    standing = Standing(sandbox, shape, handover, state, user)
    try:
        await standing.begin()
    except BaseException as error:
        await asyncio.shield(standing.discard())
        if isinstance(error, OSError):
            raise SandboxError(f"its inputs cannot be reached: {error.strerror}") from error
        raise
    return standing


def _own_mounts(user: int | None) -> Sequence[str]:
    """Answers the words that give the command after them an empty network, and mounts of its own with the tmpfs.

    Whoever is not root is root only in a user namespace of his own, for as long as it takes.
    """
    alone = ("--net", "--mount") if os.geteuid() == 0 else ("--user", "--map-root-user", "--net", "--mount")
    owner = user if user is not None else os.geteuid() if os.geteuid() == 0 else 0
    return ("unshare", *alone, "--", "sh", "-c", _MOUNT, "sh", str(INPUT_BYTES), str(owner))
