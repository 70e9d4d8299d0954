"""The life and death of one sandbox: started blocked, bounded, released, waited for, killed with all that it begot.

A sandbox is two processes of bubblewrap: a monitor outside, and the first process of a process namespace of its own.
When that first process is gone, the kernel has killed and reaped every other one in the namespace, however it had
daemonised. So "everything is dead" is one readable pidfd, not a search. The monitor dies with the executor
(`--die-with-parent`), and the namespace with the monitor.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import structlog

from executor.sandbox import network, rlimit
from executor.sandbox.cgroup import Cgroup, CgroupRoot
from executor.sandbox.command import Job, Opened, open_command, program_of, variables_of
from executor.sandbox.handover import Handover
from executor.sandbox.libseccomp import UnavailableError
from executor.sandbox.monitor import Status, readable, spawn
from executor.sandbox.namespace import pids_in_namespace_of
from executor.sandbox.output_folder import OutputFolder
from executor.sandbox.prelude import prelude_of
from executor.sandbox.toolbox import Toolbox
from kernel.execution.content import NetworkPolicy, ResourceLimits

log = structlog.get_logger()

SETUP_SECONDS = 10.0
OWN = Toolbox()


class SandboxError(Exception):
    """The sandbox could not be made; the message is for people and names no value."""


@dataclass(frozen=True, slots=True)
class Exited:
    """How the script ended: its exit code, 128 + n where signal n ended it; None where it never began or was killed."""

    exit_code: int | None
    out_of_memory: bool


class Sandbox:
    """One sandbox; use `start`, and `close` whatever happens."""

    def __init__(
        self,
        monitor: subprocess.Popen[bytes],
        first_pid: int,
        status: Status,
        outputs: tuple[int, int],
        cgroup: Cgroup,
        release_fd: int,
        resources: ExitStack,
    ) -> None:
        self._monitor = monitor
        self._first_pid = first_pid
        self._first_fd = os.pidfd_open(first_pid)
        resources.callback(os.close, self._first_fd)
        self._status = status
        self._cgroup = cgroup
        self._release_fd = release_fd
        self._resources = resources
        self.stdout, self.stderr = outputs
        """Read ends, non-blocking; at end of file once every process is gone."""
        self.folder: OutputFolder | None = None
        """Where the script may leave its output; None where that cannot be looked at on this machine."""

    @property
    def first_fd(self) -> int:
        """A pidfd of its first process, whose end is the end of all; closed with the sandbox."""
        return self._first_fd

    @property
    def monitor_pid(self) -> int:
        return self._monitor.pid

    @property
    def alive(self) -> bool:
        """Whether its first process is."""
        return not select.select([self._first_fd], [], [], 0)[0]

    def pids(self) -> set[int]:
        """Answers its processes, bubblewrap's two among them."""
        return {self._monitor.pid, *self._pids()}

    def release(self) -> None:
        """Lets the command begin."""
        os.write(self._release_fd, b"1")

    def hold_folder(self) -> None:
        """Takes hold of where the script may leave its output; its shell must stand."""
        try:
            folder = OutputFolder(self._first_pid)
        except OSError as error:
            log.warning("output_out_of_reach", error=error.strerror)
            return
        self._resources.callback(folder.close)
        if self.alive:  # so nobody else can have had its number
            self.folder = folder

    def limit(self, limits: ResourceLimits) -> None:
        """Bounds what is not bounded yet; OSError where the kernel refuses."""
        self._cgroup.limit(limits)

    async def wait(self) -> Exited:
        """Waits until every process of the sandbox is gone, as its namespace and its cgroup say. Cancelling it kills
        nothing."""
        await readable(self._first_fd)
        monitor_fd = os.pidfd_open(self._monitor.pid) if self._monitor.poll() is None else None
        if monitor_fd is not None:
            try:
                await readable(monitor_fd)
            finally:
                os.close(monitor_fd)
            self._monitor.wait()
        await self._cgroup.emptied()
        return Exited(self._status.exit_code(), self._cgroup.out_of_memory())

    def terminate(self) -> None:
        """Asks every process of the sandbox to end (SIGTERM); which ones do not listen, `kill` ends."""
        for pid in self._pids() - {self._first_pid, self._monitor.pid}:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)

    def kill(self) -> None:
        """Kills every process of the sandbox at once; `wait` says when they are gone."""
        self._cgroup.kill()
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._first_fd, signal.SIGKILL)

    async def close(self) -> None:
        """Kills what is left, waits for it and gives everything back. Cancelled, it still kills."""
        self.kill()
        try:
            await self.wait()
            if self.folder is not None:
                self.folder.close()  # what it holds in memory is the cgroup's
            await self._cgroup.removed()
        finally:
            self._resources.close()

    def _pids(self) -> set[int]:
        return self._cgroup.pids() or set(pids_in_namespace_of(self._first_pid))


async def start(
    job: Job,
    *,
    cgroups: CgroupRoot,
    name: str,
    user: int | None,
    toolbox: Toolbox = OWN,
    resources: ExitStack | None = None,
    before_release: Callable[[Sandbox], object] = bool,
) -> Sandbox:
    """Sets a sandbox up for `job`, bounds it and lets the script begin; `user` is who it is outside (None: the caller).

    SandboxError where it could not be had; nothing is left then. `resources` are closed when it is gone. What
    `before_release` raises keeps the script from beginning, and is raised when the sandbox is gone.
    """
    words = [*_network(job), *as_user(user), *rlimits(job.limits, cgroups)]
    handover = _handover()
    try:
        prelude = _prelude(job, handover)
        opening = partial(_open_guarded, job, toolbox, handover)
        sandbox = await set_up(opening, words, job.limits, cgroups, name, resources or ExitStack())
        handover.passed_on()
        try:
            await stand_up(sandbox, handover)
            handover.write(prelude)
            before_release(sandbox)
            handover.begin()
        except BaseException as error:
            await asyncio.shield(sandbox.close())
            if isinstance(error, OSError):
                raise SandboxError(f"its script could not begin: {error.strerror}") from error
            raise
    finally:
        handover.close()
    return sandbox


def _handover() -> Handover:
    try:
        return Handover()
    except OSError as error:  # no descriptor left, say
        raise SandboxError(f"the sandbox could not be set up: {error.strerror}") from error


def _prelude(job: Job, handover: Handover) -> bytes:
    try:
        return prelude_of(variables_of(job), program_of(job), handover.inside)
    except ValueError as error:
        raise SandboxError(f"the script's environment cannot be made: {error}") from error


def _open_guarded(job: Job, toolbox: Toolbox, handover: Handover, inherited: ExitStack) -> Opened:
    opened = open_command(job, toolbox, handover.inside[1], inherited)
    return Opened(opened.words, [*opened.descriptors, *handover.inside])


async def set_up(
    open_words: Callable[[ExitStack], Opened],
    words: Sequence[str],
    limits: ResourceLimits | None,
    cgroups: CgroupRoot,
    name: str,
    resources: ExitStack,
) -> Sandbox:
    """Answers a sandbox in a cgroup of its own, bounded by `limits`, whose command `release` lets begin.

    `words` stand before bubblewrap's. `resources` are closed with the sandbox, or here where it cannot be had.
    """
    monitor: subprocess.Popen[bytes] | None = None
    try:
        with ExitStack() as inherited:
            monitor, status_fd, release_fd, outputs = spawn(open_words(inherited), words, inherited, resources)
        status = Status(status_fd)
        first_pid = await _first_process(status, outputs[1])
        cgroup = cgroups.create(name, limits)
        resources.callback(cgroup.remove)
        cgroup.add(first_pid)
        return Sandbox(monitor, first_pid, status, outputs, cgroup, release_fd, resources)
    except BaseException as error:
        if monitor is not None:
            monitor.kill()
            monitor.wait()
        resources.close()
        if isinstance(error, UnavailableError):
            raise SandboxError(str(error)) from error
        if isinstance(error, OSError):
            raise SandboxError(f"the sandbox could not be set up: {error.strerror}: {error.filename}") from error
        raise


async def stand_up(sandbox: Sandbox, handover: Handover) -> None:
    """Lets the shell come into being and waits until it waits. OSError or SandboxError where it does not."""
    sandbox.release()
    try:
        async with asyncio.timeout(SETUP_SECONDS):
            stands = await handover.stands()
    except TimeoutError:
        raise SandboxError(f"the shell did not wait within {SETUP_SECONDS:.0f} s") from None
    if not stands:
        said = b""
        with contextlib.suppress(BlockingIOError):
            said = os.read(sandbox.stderr, 500)
        raise SandboxError(f"the shell does not wait: {said.decode('utf-8', 'replace').strip()}")
    sandbox.hold_folder()


async def _first_process(status: Status, stderr_fd: int) -> int:
    """Waits for bubblewrap to say which process is the first of the sandbox."""
    try:
        async with asyncio.timeout(SETUP_SECONDS):
            first_pid = await status.first_pid()
    except TimeoutError:
        raise SandboxError(f"the sandbox was not set up within {SETUP_SECONDS:.0f} s") from None
    if first_pid is not None:
        return first_pid
    with contextlib.suppress(BlockingIOError):
        said = os.read(stderr_fd, 500).decode("utf-8", "replace").strip()
        raise SandboxError(f"the sandbox could not be set up: {said}")
    raise SandboxError("the sandbox could not be set up: bubblewrap ended without a word")


def _network(job: Job) -> tuple[str, ...]:
    return network.prefix() if job.network is NetworkPolicy.NONE else network.host_prefix()


def as_user(user: int | None) -> list[str]:
    """Answers the words that make `user` run the command after them."""
    return [] if user is None else ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]


def rlimits(limits: ResourceLimits, cgroups: CgroupRoot) -> list[str]:
    """Answers the words that bound what no cgroup here does."""
    held = cgroups.controllers
    return rlimit.prefix(limits, count_processes="pids" not in held, bound_memory="memory" not in held)
