"""`python -m executor`: runs executions until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal

import uvloop

from executor.identity import new_executor_id
from executor.settings import ExecutorSettings
from executor.wiring import CannotStart, running_executor
from kernel import telemetry
from kernel.cipher import Cipher
from kernel.settings import fail, load, write_ready_file


def main() -> None:
    settings = load(ExecutorSettings)
    telemetry.configure("executor", settings.log_format)
    try:
        cipher = Cipher.of(settings)
    except ValueError as error:
        fail(f"cannot start: {error}")
    try:
        uvloop.run(serve(settings, cipher))
    except CannotStart as error:
        fail(f"cannot start: {error}")


async def serve(settings: ExecutorSettings, cipher: Cipher) -> None:
    """Runs until the first SIGTERM or SIGINT, then lets running scripts end."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running_executor(settings, cipher, new_executor_id(), stop) as hearing:
        write_ready_file(settings.ready_file, {})
        await hearing


if __name__ == "__main__":
    main()
