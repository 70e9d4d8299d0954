"""The scripts of the load write what is expected of them, and nothing else, however they end."""

from __future__ import annotations

import asyncio
import os
import socket

import psutil

from tests.chaos.plan import Order
from tests.chaos.scripts import Kind, content_of, output_of, parameters_of
from tests.waiting import eventually

ORDER = Order(7, "request", Kind.MARK, max_retries=0, failures=0, size=0, seconds=500.0)


async def test_a_script_whose_pause_is_terminated_before_its_shell_says_nothing_of_it() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as marks:
        marks.bind(("127.0.0.1", 0))
        parameters = parameters_of(ORDER, marks.getsockname()[1])
        environment = {f"PARAM_{name.upper()}": str(value) for name, value in parameters.items()}
        shell = await asyncio.create_subprocess_exec(
            *("bash", "-c", content_of(Kind.MARK, 0).script),
            env={**os.environ, **environment, "ONCALL_EXECUTION_ID": "execution", "ONCALL_ATTEMPT": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        process = psutil.Process(shell.pid)
        for _ in range(5):
            await _end_its_pause(process)
        stdout, stderr = await shell.communicate()
    assert (shell.returncode, stdout, stderr) == (0, *output_of(ORDER, 1))


async def _end_its_pause(shell: psutil.Process) -> None:
    pauses: list[psutil.Process] = []

    async def there_is_one() -> bool:
        pauses[:] = [child for child in shell.children() if child.name() == "sleep"]
        return bool(pauses)

    await eventually(there_is_one)
    pauses[0].terminate()

    async def it_is_over() -> bool:
        return not pauses[0].is_running()

    await eventually(it_is_over)
