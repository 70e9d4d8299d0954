"""The way by which a shell inside a sandbox hears that it may begin, and as what.

Nothing begins without a word from the executor. Bubblewrap's own `--block-fd` is not enough for that: where the
executor dies before bubblewrap has asked to die with it, the end of that pipe reads like the word, and the script would
run with nobody to watch, bound or record it. A shell that hears the end of its channel ends.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import ExitStack

from executor.sandbox.command import memory_file
from executor.sandbox.prelude import waiting


class Handover:
    """The descriptors between executor and shell; `inside` is how the shell numbers them: its channel, its orders."""

    def __init__(self) -> None:
        self.channel, self._theirs = socket.socketpair()
        with ExitStack() as resources:
            resources.callback(self.channel.close)
            resources.callback(self._theirs.close)
            self.channel.setblocking(False)
            self._orders = memory_file(b"", resources)
            self.inside = (self._theirs.fileno(), self._orders)
            self.write(waiting(*self.inside))
            self._resources = resources.pop_all()

    def passed_on(self) -> None:
        """The shell has its end: when it is gone, the other end shall tell."""
        self._theirs.close()

    async def stands(self) -> bool:
        """Waits until the shell says that it waits; False where it is gone instead."""
        return bool(await asyncio.get_running_loop().sock_recv(self.channel, 1))

    def write(self, orders: bytes) -> None:
        os.ftruncate(self._orders, 0)
        os.pwrite(self._orders, orders, 0)

    def begin(self) -> None:
        """Says the word, and lets go; OSError where nobody hears it."""
        self.channel.send(b"\n")
        self.close()

    def close(self) -> None:
        self._resources.close()
