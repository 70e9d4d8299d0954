"""`python -m executor`: runs executions until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from typing import NoReturn

import uvloop

from executor.identity import new_executor_id
from executor.settings import ExecutorSettings
from executor.wiring import CannotStart, running_executor
from executor.worker import Unrecorded
from kernel import telemetry
from kernel.cipher import Cipher
from kernel.heap import keep_what_started
from kernel.settings import fail, load, write_ready_file

EXAMPLES = """examples:
  python -m executor
  python -m executor --tags eu,gpu --concurrency 8

All other settings, and these two by default, are in the environment: see the README.
Ends with 0 after SIGTERM, when what it ran has ended; with 1 where PostgreSQL was away and ends could not be recorded;
with 2 where it cannot start."""


def main() -> None:
    settings = load(ExecutorSettings, **_options())
    telemetry.configure("executor", settings.log_format)
    try:
        cipher = Cipher.of(settings)
    except ValueError as error:
        fail(f"cannot start: {error}")
    try:
        uvloop.run(serve(settings, cipher))
    except CannotStart as error:
        fail(f"cannot start: {error}")


def _options() -> dict[str, str]:
    """Answers the settings that the command line gives; they are checked as those of the environment are."""
    parser = argparse.ArgumentParser(
        prog="python -m executor",
        description="Runs executions until SIGTERM or SIGINT.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--tags",
        dest="executor_tags",
        metavar="TAG,…",
        help="what it carries: it runs versions that ask for these or for nothing (ONCALL_EXECUTOR_TAGS)",
    )
    parser.add_argument(
        "--concurrency",
        dest="executor_concurrency",
        metavar="N",
        help="executions at one time, 1 to 500 (ONCALL_EXECUTOR_CONCURRENCY)",
    )
    return {name: value for name, value in vars(parser.parse_args()).items() if value is not None}


async def serve(settings: ExecutorSettings, cipher: Cipher) -> None:
    """Runs until the first SIGTERM or SIGINT, then lets running scripts end."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        async with running_executor(settings, cipher, new_executor_id(), stop) as hearing:
            keep_what_started()
            write_ready_file(settings.ready_file, {})
            await hearing
    except Unrecorded as error:
        _leave(str(error))


def _leave(sentence: str) -> NoReturn:
    """Ends the process now, with exit code 1: its sandboxes are killed, and the last of them die with it.

    Whoever closes the loop in the usual way waits, for as long as it takes, for what was given up a moment ago because
    it did not end when it was cancelled.
    """
    sys.stdout.flush()
    print(sentence, file=sys.stderr, flush=True)
    os._exit(1)


if __name__ == "__main__":
    main()
