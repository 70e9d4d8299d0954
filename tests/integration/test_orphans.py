"""What is left of a sandbox whose monitor is killed while it makes it is ended by who starts or stops next."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from executor.sandbox.command import WAITING_SHELL
from executor.sandbox.orphans import kill_orphans
from executor.settings import ExecutorSettings
from tests.executors import an_executor
from tests.processes import goes_on
from tests.waiting import PATIENCE, eventually

ALONE = ("--unshare-user", "--unshare-pid", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc")


@contextmanager
def a_monitor() -> Iterator[subprocess.Popen[bytes]]:
    """Bubblewrap as an executor starts it, blocked for as long as the block lasts."""
    blocked, release = os.pipe()
    heard, told = os.pipe()
    words = ["bwrap", "--json-status-fd", str(told), "--block-fd", str(blocked), *ALONE, "--"]
    monitor = subprocess.Popen([*words, *WAITING_SHELL], pass_fds=(told, blocked), stderr=subprocess.DEVNULL)
    try:
        yield monitor
    finally:
        monitor.kill()
        monitor.wait()
        for descriptor in (blocked, release, heard, told):
            os.close(descriptor)


def _first_of(monitor: subprocess.Popen[bytes]) -> psutil.Process:
    """Answers the first process of the sandbox as soon as it exists."""
    children = Path(f"/proc/{monitor.pid}/task/{monitor.pid}/children")
    deadline = time.monotonic() + 10 * PATIENCE
    while time.monotonic() < deadline:
        if number := children.read_text().split():
            return psutil.Process(int(number[0]))
    raise AssertionError("bubblewrap made no process")


def _an_orphan() -> psutil.Process:
    """Kills monitors in the moment in which they make a sandbox, until one leaves a process that waits for it."""
    deadline = time.monotonic() + 60 * PATIENCE
    while time.monotonic() < deadline:
        with suppress(psutil.NoSuchProcess):
            with a_monitor() as monitor:
                first = _first_of(monitor)
            with suppress(psutil.TimeoutExpired):
                first.wait(0.2)  # those that came further die with it, or find their descriptors closed
            if goes_on(first.pid):
                return first
    pytest.fail("no monitor was killed at the right moment")


async def test_what_a_killed_monitor_left_is_killed_and_what_a_living_one_has_is_not() -> None:
    with a_monitor() as monitor:
        living, orphan = _first_of(monitor), _an_orphan()
        kill_orphans()  # or an executor that starts or stops beside this test has done it
        await _gone(orphan)
        assert living.is_running()
        assert monitor.poll() is None


async def test_an_executor_that_stops_leaves_none_behind(executor_settings: ExecutorSettings) -> None:
    async with an_executor(executor_settings):
        orphan = await asyncio.to_thread(_an_orphan)
    await _gone(orphan)


async def _gone(orphan: psutil.Process) -> None:
    async def is_gone() -> bool:
        return not goes_on(orphan.pid)

    await eventually(is_gone)
