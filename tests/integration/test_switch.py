"""The dead man's switch kills what nobody holds back any more, whatever becomes of either process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from executor.sandbox.monitor import readable
from executor.sandbox.switch import Switch, open_switch
from tests.waiting import eventually

LONG = 300.0


class Victim:
    """A process in a sandbox's place."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(["sleep", "1000"])
        self.fd = os.pidfd_open(self.process.pid)

    async def end(self) -> int:
        """Answers how it ended, when it has."""
        async with asyncio.timeout(30):
            await readable(self.fd)
        return self.process.wait()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.fd)


@pytest.fixture
def victims() -> Iterator[list[Victim]]:
    victims = [Victim(), Victim()]
    try:
        yield victims
    finally:
        for victim in victims:
            victim.close()


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[Switch]:
    with open_switch() as switch:
        running = asyncio.create_task(switch.run())
        try:
            yield switch
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_what_is_not_extended_dies_at_its_deadline_and_nothing_else(victims: list[Victim]) -> None:
    dies, lives = victims
    async with watched() as switch:
        other = switch.arm(lives.fd, time.monotonic() + LONG)
        deadline = time.monotonic() + 0.3
        number = switch.arm(dies.fd, deadline)
        assert not switch.fired(number)
        assert await dies.end() == -signal.SIGKILL
        assert time.monotonic() >= deadline
        assert (switch.fired(number), switch.fired(other)) == (True, False)
        assert lives.process.poll() is None
        switch.disarm(number)
        switch.disarm(other)


async def test_what_is_extended_or_disarmed_in_time_lives(victims: list[Victim]) -> None:
    async with watched() as switch:
        deadline = time.monotonic() + 1.0
        extended, disarmed = (switch.arm(victim.fd, deadline) for victim in victims)
        switch.extend(extended, time.monotonic() + LONG)
        switch.disarm(disarmed)
        last = Victim()
        try:
            switch.arm(last.fd, deadline)  # which shows that it came to that moment
            await last.end()
        finally:
            last.close()
        assert [victim.process.poll() for victim in victims] == [None, None]
        assert not switch.fired(extended)
        switch.disarm(extended)


async def test_a_word_after_the_deadline_changes_nothing(victims: list[Victim]) -> None:
    """Both have waited when a switch that stood still goes on: the deadline, and the word that would have moved it."""
    async with watched() as switch:
        number = switch.arm(victims[0].fd, time.monotonic() + 0.2)
        os.kill(switch.pid, signal.SIGSTOP)
        await asyncio.sleep(0.3)
        switch.extend(number, time.monotonic() + LONG)
        os.kill(switch.pid, signal.SIGCONT)
        assert await victims[0].end() == -signal.SIGKILL
        assert switch.fired(number)


async def test_it_outlives_what_ends_an_executor(victims: list[Victim]) -> None:
    async with watched() as switch:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(switch.pid, number)
        switch.arm(victims[0].fd, time.monotonic() + 0.2)
        assert await victims[0].end() == -signal.SIGKILL


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
async def test_one_that_is_gone_or_hangs_is_replaced_and_the_next_one_knows_everything(
    victims: list[Victim], blow: signal.Signals
) -> None:
    async with watched() as switch:
        kept = switch.arm(victims[1].fd, time.monotonic() + LONG)
        number = switch.arm(victims[0].fd, time.monotonic() + LONG)
        first = switch.pid
        os.kill(first, blow)

        async def replaced() -> bool:
            for _ in range(1000):  # one that hangs is found out when its channel is full
                switch.extend(kept, time.monotonic() + LONG)
            return switch.pid != first

        await eventually(replaced, within=30)
        switch.extend(number, time.monotonic() + 0.2)
        assert await victims[0].end() == -signal.SIGKILL
        assert (switch.fired(number), victims[1].process.poll()) == (True, None)


async def test_it_kills_what_it_holds_when_its_executor_is_killed(victims: list[Victim]) -> None:
    code = (
        "import sys, time; from executor.sandbox.switch import open_switch\n"
        "with open_switch() as switch:\n"
        f"    switch.arm({victims[0].fd}, time.monotonic() + {LONG})\n"
        "    print(switch.pid, flush=True); time.sleep(1000)"
    )
    executor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=subprocess.PIPE, pass_fds=(victims[0].fd,)
    )
    assert executor.stdout is not None
    switch_fd = os.pidfd_open(int(await executor.stdout.readline()))
    executor.kill()
    await executor.wait()
    assert await victims[0].end() == -signal.SIGKILL
    async with asyncio.timeout(30):
        await readable(switch_fd)
    os.close(switch_fd)
