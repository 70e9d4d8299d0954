"""A person's shell, and a person's terminal, for tests of the command as a process of its own."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from tests.builders import Person
from tests.waiting import eventually

ONCALL = Path(sys.executable).with_name("oncall")
SECONDS = 60


class Ended(NamedTuple):
    code: int
    out: bytes
    err: str


class Shell:
    """Starts commands with a home of its own, and perhaps a token in the environment."""

    def __init__(self, home: Path, address: str, person: Person | None = None, **more: str) -> None:
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(home), "ONCALL_SERVER": address, "TERM": "xterm"}
        self._environment |= more
        if person is not None:
            self._environment["ONCALL_TOKEN"] = person.token

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            ONCALL, *arguments, env=self._environment, stdin=pipe, stdout=pipe, stderr=pipe
        )

    async def __call__(self, *arguments: str, stdin: str = "") -> Ended:
        process = await self.start(*arguments)
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate(stdin.encode())
        return Ended(process.returncode or 0, out, err.decode())

    @asynccontextmanager
    async def on_terminal(self, *arguments: str) -> AsyncIterator[Terminal]:
        """Runs a command on a terminal until the end of the block."""
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (40, 200))
        process = await asyncio.create_subprocess_exec(
            *(ONCALL, *arguments),
            env=self._environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,  # else it would ask for passwords on the terminal that the tests were started from
        )
        os.close(theirs)
        terminal = Terminal(ours, process)
        try:
            yield terminal
        finally:
            terminal.close()
            if process.returncode is None:
                process.kill()
                await process.wait()


class Terminal:
    """What a person sees and types."""

    def __init__(self, ours: int, process: asyncio.subprocess.Process) -> None:
        self._ours = ours
        self._process = process
        self.screen = b""
        asyncio.get_running_loop().add_reader(ours, self._read)

    async def sees(self, text: bytes) -> None:
        async def seen() -> bool:
            return text in self.screen

        try:
            await eventually(seen, within=SECONDS)
        except AssertionError:
            raise AssertionError(f"{text!r} never came: {self.screen!r}") from None

    def types(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def interrupts(self) -> None:
        self._process.send_signal(signal.SIGINT)

    async def ended(self) -> int:
        async with asyncio.timeout(SECONDS):
            return await self._process.wait()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)

    def _read(self) -> None:
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # the last process on it has gone
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._ours)
        self.screen += data
