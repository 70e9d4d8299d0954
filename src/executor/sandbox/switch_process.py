"""The process behind `executor.sandbox.switch`: holds sandboxes, and kills each at its deadline unless told otherwise.

It is run as a script, imports nothing but a few modules of the standard library, and so needs little memory and no
time. It ends when its executor is gone, however that went, and kills what it still holds.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import sys
import time

MESSAGE = struct.Struct("!cQd")
"""What is to be done, with which sandbox, and its deadline by `clock`."""
ARM, EXTEND, DISARM = b"a", b"e", b"d"
NUMBER = struct.Struct("!Q")
"""What is answered: the sandbox that is about to be killed. 0, first of all: that deadlines are watched."""
WATCHING = 0
LONGEST_SLEEP_SECONDS = 1.0
"""While something is held: a machine that slept does not count that as time that passed for who waits."""


def clock() -> float:
    """Seconds of a clock that all processes share, and that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Held:
    """The sandboxes that are armed, by their numbers: a pidfd of the first process, and a deadline."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._armed: dict[int, tuple[int, float]] = {}

    def hear(self) -> bool:
        """Does what one message says; False where there is none any more, and nobody to send one."""
        data, descriptors, _, _ = socket.recv_fds(self._channel, MESSAGE.size, 1)
        if not data:
            return False
        what, number, deadline = MESSAGE.unpack(data)
        if what == ARM:
            self._armed[number] = (descriptors[0], deadline)
        elif number in self._armed:  # and not killed meanwhile
            if what == EXTEND:
                self._armed[number] = (self._armed[number][0], deadline)
            else:
                os.close(self._armed.pop(number)[0])
        return True

    def sleep_seconds(self) -> float | None:
        """Answers how long there is nothing to do but to hear."""
        if not self._armed:
            return None
        first = min(deadline for _, deadline in self._armed.values())
        return min(max(first - clock(), 0.0), LONGEST_SLEEP_SECONDS)

    def kill_due(self) -> None:
        now = clock()
        for number in [number for number, (_, deadline) in self._armed.items() if deadline <= now]:
            # Told first: who sees the sandbox's end can then know whose doing it was.
            with contextlib.suppress(OSError):  # an executor that does not read, or is gone, changes nothing
                self._channel.send(NUMBER.pack(number), socket.MSG_DONTWAIT)
            self._kill(number)

    def kill_all(self) -> None:
        for number in list(self._armed):
            self._kill(number)

    def _kill(self, number: int) -> None:
        descriptor, _ = self._armed.pop(number)
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        os.close(descriptor)


def main(channel: socket.socket) -> None:
    # Whoever stops the executor may send these to all its processes; this one is needed until scripts have ended.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    held = Held(channel)
    try:
        channel.send(NUMBER.pack(WATCHING))
        while True:
            readable, _, _ = select.select([channel], [], [], held.sleep_seconds())
            held.kill_due()  # before more is heard: a word that comes too late is too late
            if readable and not held.hear():
                return
    except ConnectionError:  # the executor is gone
        return
    finally:
        held.kill_all()


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
