"""Bubblewrap's monitor, the process of a sandbox that is outside: how it is started, what it tells, how it is heard."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack

from executor.sandbox.command import Opened


class Status:
    """What bubblewrap tells over `--json-status-fd`: one JSON object a line, which may come in pieces."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._text = b""
        self._ended = False

    async def first_pid(self) -> int | None:
        """Answers the first process of the sandbox; None where bubblewrap ended before there was one."""
        while (pid := self._told("child-pid")) is None and not self._ended:
            await readable(self._descriptor)
            self._read()
        return pid

    def exit_code(self) -> int | None:
        """Answers the script's exit code, once bubblewrap is gone; None where it did not live to tell."""
        self._read()
        return self._told("exit-code")

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(self._descriptor, 4096):
                self._text += piece
            self._ended = True

    def _told(self, name: str) -> int | None:
        whole_lines = self._text[: self._text.rfind(b"\n") + 1].splitlines()
        values = [json.loads(line).get(name) for line in whole_lines if line.strip()]
        return next((value for value in values if value is not None), None)


def spawn(
    opened: Opened, words: Sequence[str], inherited: ExitStack, resources: ExitStack
) -> tuple[subprocess.Popen[bytes], int, int, tuple[int, int]]:
    """Starts bubblewrap, which waits; answers it, where it tells, where it is released, and its stdout and stderr.

    `inherited` is closed once it has all it inherits, `resources` when the sandbox is gone.
    """
    status_fd, status_end = _pipe(resources, inherited)
    stdout_fd, stdout_end = _pipe(resources, inherited)
    stderr_fd, stderr_end = _pipe(resources, inherited)
    block_fd, release_fd = os.pipe()
    inherited.callback(os.close, block_fd)
    resources.callback(os.close, release_fd)
    bubblewrap, *arguments = opened.words
    # What must happen before bubblewrap is done by small programs and not in the child: so there is no fork, which in a
    # large process is slow and in one with threads not safe, and `spawn` costs a vfork.
    monitor = subprocess.Popen(
        [*words, bubblewrap, "--json-status-fd", str(status_end), "--block-fd", str(block_fd), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=stdout_end,
        stderr=stderr_end,
        pass_fds=(status_end, block_fd, *opened.descriptors),
        env={"PATH": os.defpath},
        cwd="/",
        start_new_session=True,
    )
    for descriptor in (status_fd, stdout_fd, stderr_fd):
        os.set_blocking(descriptor, False)
    return monitor, status_fd, release_fd, (stdout_fd, stderr_fd)


def _pipe(resources: ExitStack, inherited: ExitStack) -> tuple[int, int]:
    ours, theirs = os.pipe()
    resources.callback(os.close, ours)
    inherited.callback(os.close, theirs)
    return ours, theirs


async def readable(descriptor: int) -> None:
    """Waits until there is something to read, or the end."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def done() -> None:
        if not ready.done():
            ready.set_result(None)

    own = os.dup(descriptor)  # a loop knows one reader a descriptor, and two may wait for the same end
    loop.add_reader(own, done)
    try:
        await ready
    finally:
        loop.remove_reader(own)
        os.close(own)
