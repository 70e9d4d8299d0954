"""A dead man's switch for scripts: another process kills each at its deadline unless this one moves the deadline on.

Whoever holds a lease ends its script in time by himself, as long as he runs. A process that is stopped, starved of
processors or in a machine that slept does not, and its script would run on while somebody else runs it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import select
import socket
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from executor.sandbox import switch_process
from executor.sandbox.monitor import readable
from executor.sandbox.switch_process import ARM, DISARM, EXTEND, MESSAGE, NUMBER

log = structlog.get_logger()

START_SECONDS = 30.0
END_SECONDS = 2.0
RESTART_SECONDS = 1.0


class SwitchError(Exception):
    """The other process cannot be had; the message is one sentence."""


@dataclass(slots=True)
class _Armed:
    first_fd: int
    """A pidfd of its own, so that it stands for the same process until it is disarmed."""
    deadline: float
    """By this machine's monotonic clock."""


class Switch:
    """Use `open_switch`. Nothing here waits for the other process, so that nothing that hangs can delay a script."""

    def __init__(self) -> None:
        self._numbers = itertools.count(switch_process.WATCHING + 1)
        self._armed: dict[int, _Armed] = {}
        self._fired: set[int] = set()
        self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def arm(self, first_fd: int, deadline: float) -> int:
        """Has a sandbox killed at `deadline` (seconds of `time.monotonic`), whose first process `first_fd` names.

        Answers the number to `extend` and to `disarm` it by.
        """
        number = next(self._numbers)
        self._armed[number] = _Armed(os.dup(first_fd), deadline)
        self._tell(ARM, number)
        return number

    def extend(self, number: int, deadline: float) -> None:
        self._armed[number].deadline = deadline
        self._tell(EXTEND, number)

    def disarm(self, number: int) -> None:
        self._tell(DISARM, number)
        os.close(self._armed.pop(number).first_fd)
        self._fired.discard(number)

    def fired(self, number: int) -> bool:
        """Whether the sandbox was killed, or is about to be, for its deadline had come; ask before it is disarmed.

        Where its end was seen, the answer is final.
        """
        self._hear()
        return number in self._fired

    async def run(self) -> None:
        """Keeps the other process running. Ends when cancelled."""
        while True:
            await self._ended()
            log.warning("switch_lost", armed=len(self._armed))
            try:
                self._restart()
            except OSError as error:
                log.warning("switch_not_started", error=error.strerror)
            await asyncio.sleep(RESTART_SECONDS)

    def close(self) -> None:
        """Ends the other process; what is still armed is killed."""
        self._channel.close()
        self._reap()
        while self._armed:
            _, armed = self._armed.popitem()
            os.close(armed.first_fd)

    def wait_until_it_watches(self) -> None:
        """Blocks until the other process runs; SwitchError where it does not within `START_SECONDS`."""
        if not select.select([self._channel], [], [], START_SECONDS)[0] or not self._hear():
            raise SwitchError(f"the process that ends scripts in time does not run after {START_SECONDS:.0f} s")

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._channel = ours
            # A session of its own: a terminal's Ctrl-C is for the executor, which needs this until scripts have ended.
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", switch_process.__file__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={},
                cwd="/",
                start_new_session=True,
            )

    def _restart(self) -> None:
        self._hear()  # what it told last
        self._channel.close()
        self._reap()
        self._start()
        for number in self._armed.keys() - self._fired:
            self._tell(ARM, number)

    async def _ended(self) -> None:
        if self._process.poll() is None:
            descriptor = os.pidfd_open(self._process.pid)
            try:
                await readable(descriptor)
            finally:
                os.close(descriptor)

    def _reap(self) -> None:
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tell(self, what: bytes, number: int) -> None:
        armed = self._armed[number]
        left = armed.deadline - time.monotonic()
        message = MESSAGE.pack(what, number, switch_process.clock() + left)
        descriptors = array("i", [armed.first_fd] if what == ARM else [])
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)] if descriptors else []
        try:
            self._channel.sendmsg([message], rights, socket.MSG_DONTWAIT)
        except OSError:  # it is gone, or does not read: another one is told everything
            self._process.kill()

    def _hear(self) -> bool:
        """Takes what the other process told; False where it told nothing."""
        heard = False
        with contextlib.suppress(OSError):
            while told := self._channel.recv(NUMBER.size, socket.MSG_DONTWAIT):
                heard = True
                self._fired.update(NUMBER.unpack(told))
        return heard


@contextlib.contextmanager
def open_switch() -> Iterator[Switch]:
    """Yields a switch whose other process watches; SwitchError where it cannot be had."""
    try:
        switch = Switch()
    except OSError as error:
        raise SwitchError(f"the process that ends scripts in time cannot be started: {error.strerror}") from error
    try:
        switch.wait_until_it_watches()
        yield switch
    finally:
        switch.close()
