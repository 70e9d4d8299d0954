"""A lease that cannot be renewed is given up before it ends, whatever PostgreSQL does meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from executor.attempt import Attempt
from executor.lease import Lease, margin
from executor.leases import LeaseKeeper
from executor.sandbox.process import Sandbox
from executor.sandbox.switch import Switch, open_switch
from executor.settings import ExecutorSettings
from kernel.database import transaction
from kernel.ids import new_id
from kernel.tables import executions
from tests.executors import an_executor
from tests.integration.conftest import Platform
from tests.processes import cgroups_of, processes_of
from tests.waiting import eventually

LONG = 300.0


class Holding:
    """A holder that notes what it is told."""

    def __init__(self) -> None:
        self.lost = False

    def cancel(self) -> None:
        raise AssertionError("nobody asked for that")

    def lose(self) -> None:
        self.lost = True


@pytest.fixture
def switch() -> Iterator[Switch]:
    with open_switch() as switch:
        yield switch


@pytest.fixture
def keeper(platform: Platform, switch: Switch) -> LeaseKeeper:
    return LeaseKeeper(platform.sessions, "executor", switch, lease_seconds=LONG)


def hold(keeper: LeaseKeeper, holder: Holding, *, ago: float = 0.0, execution_id: UUID | None = None) -> Lease:
    """A claim that was asked for so many seconds ago."""
    claimed_at = asyncio.get_running_loop().time() - ago
    lease = keeper.lease(execution_id or new_id(), 1, claimed_at=claimed_at)
    keeper.hold(lease, holder)
    return lease


@contextlib.asynccontextmanager
async def kept(keeper: LeaseKeeper) -> AsyncIterator[asyncio.Task[None]]:
    running = asyncio.create_task(keeper.run())
    await asyncio.sleep(0)
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_claim_that_took_the_whole_lease_is_lost_at_once(keeper: LeaseKeeper) -> None:
    holder = Holding()
    hold(keeper, holder, ago=LONG - margin(LONG) / 2)
    assert holder.lost
    assert keeper.held == 0


async def test_a_claim_that_took_most_of_the_lease_is_lost_in_time(keeper: LeaseKeeper) -> None:
    """Nothing else would wake who gives up: the next renewal is far, and so is the end of the other lease."""
    early, late = Holding(), Holding()
    async with kept(keeper):
        hold(keeper, early)
        await asyncio.sleep(0)  # it waits for that one now
        hold(keeper, late, ago=LONG - margin(LONG) - 0.2)
        assert not late.lost

        async def lost() -> bool:
            return late.lost

        await eventually(lost)
        assert not early.lost


async def test_when_nobody_renews_any_more_every_lease_is_lost(keeper: LeaseKeeper) -> None:
    holder = Holding()
    async with kept(keeper):
        hold(keeper, holder)
    assert holder.lost


async def test_who_ends_after_his_execution_was_claimed_anew_leaves_the_new_lease_alone(keeper: LeaseKeeper) -> None:
    """Both by this executor: the sweep took it away while its sandbox was still being killed, and rang again."""
    earlier, later = Holding(), Holding()
    execution_id = new_id()
    first = hold(keeper, earlier, execution_id=execution_id)
    hold(keeper, later, execution_id=execution_id)
    assert (earlier.lost, later.lost) == (True, False)
    keeper.release(first)
    assert keeper.held == 1


@pytest.mark.parametrize("step", ["executor.attempt.open_inputs", "executor.sandbox.process.set_up"])
async def test_a_lease_that_is_lost_before_its_script_begins_keeps_it_from_beginning(
    platform: Platform, executor_settings: ExecutorSettings, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """One step on the way takes so long that the attempt is somebody else's when it is done."""
    reached, lost, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()
    released: list[Sandbox] = []
    module, _, name = step.rpartition(".")
    really, really_lose = getattr(importlib.import_module(module), name), Attempt.lose

    def lose(self: Attempt) -> None:
        really_lose(self)
        lost.set()

    async def slowly(*arguments: Any) -> object:
        done = await really(*arguments)
        if reached.is_set():
            return done
        reached.set()
        await go_on.wait()
        return done

    execution = await platform.an_execution("echo began; sleep 1000")
    # Long enough that it is lost to somebody else, and not because the machine stood still on the way to the step.
    async with an_executor(executor_settings, lease_seconds=9.0, warm_sandboxes=0):
        monkeypatch.setattr(step, slowly)
        monkeypatch.setattr(Attempt, "lose", lose)
        monkeypatch.setattr(Sandbox, "release", released.append)
        await platform.doorbell.ring(execution)
        await asyncio.wait_for(reached.wait(), 30)
        async with transaction(platform.sessions) as tx:
            await tx.session.execute(update(executions).values(epoch=2))

        await asyncio.wait_for(lost.wait(), 30)
        go_on.set()

        async def over() -> bool:
            return not processes_of(execution) and not cgroups_of(execution)

        await eventually(over)
    assert released == []
