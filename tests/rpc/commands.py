"""Many commands of `oncall`, one after another, in one process of their own: for tests that give dozens of them.

A process for each would cost half a second of computing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from cli.main import app
from tests.builders import Person
from tests.rpc.shell import SECONDS, Ended


class Commands:
    """Gives commands as a person."""

    def __init__(self, process: asyncio.subprocess.Process, address: str) -> None:
        self._process = process
        self._address = address

    async def __call__(self, person: Person, *arguments: str, stdin: str = "") -> Ended:
        environment = {"ONCALL_SERVER": self._address, "ONCALL_TOKEN": person.token}
        asked = json.dumps({"arguments": arguments, "environment": environment, "stdin": stdin})
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(asked.encode() + b"\n")
        async with asyncio.timeout(SECONDS):
            answered = json.loads(await self._process.stdout.readline())
        return Ended(answered["code"], answered["out"].encode(), answered["err"])

    async def json(self, person: Person, *arguments: str) -> Any:
        """Gives a command that must succeed, and reads what it prints."""
        ended = await self(person, *arguments, "--json")
        assert ended.code == 0, ended.err
        return json.loads(ended.out)


@asynccontextmanager
async def commands(address: str, home: Path) -> AsyncIterator[Commands]:
    """Runs the process until the end of the block."""
    pipe = asyncio.subprocess.PIPE
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.rpc.commands"), env=environment, stdin=pipe, stdout=pipe, limit=2**22
    )
    try:
        yield Commands(process, address)
    finally:
        process.kill()
        await process.wait()


def main() -> None:
    runner = CliRunner()
    for line in sys.stdin:
        asked = json.loads(line)
        ended = runner.invoke(app, asked["arguments"], input=asked["stdin"], env=asked["environment"])
        if ended.exception and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        print(json.dumps({"code": ended.exit_code, "out": ended.stdout, "err": ended.stderr}), flush=True)


if __name__ == "__main__":
    main()
