"""An executor claims only what its tags cover, whoever rings for what; and none of the lists it hears starves."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from redis.asyncio import Redis
from sqlalchemy import update

from executor.registration import Offer, Registration
from executor.settings import ExecutorSettings
from kernel import lifecycle, turns
from kernel.database import transaction
from kernel.execution.content import ConcurrencyPolicy
from kernel.execution.status import AttemptOutcome, ExecutionStatus
from kernel.queue import Doorbell, execution_queue, list_of
from kernel.tables import executions
from tests.executors import an_executor
from tests.integration.conftest import Platform
from tests.integration.test_claims import MINUTE, NOTHING_WRITTEN
from tests.integration.test_queue import Line


@pytest.mark.parametrize(
    ("asked", "carried", "claims"),
    [
        ((), (), True),
        ((), ("eu",), True),
        (("eu",), (), False),
        (("eu",), ("eu",), True),
        (("eu", "gpu"), ("gpu",), False),
        (("eu", "gpu"), ("arm", "eu", "gpu"), True),
    ],
)
async def test_a_claim_needs_every_tag(
    platform: Platform, asked: tuple[str, ...], carried: tuple[str, ...], claims: bool
) -> None:
    execution = await platform.an_execution("true", executor_tags=asked)
    async with transaction(platform.sessions) as tx:
        claim = await lifecycle.claim(tx.session, execution, "somebody", lease=MINUTE, tags=carried)
    assert (claim is not None) == claims
    assert await platform.status(execution) == (ExecutionStatus.RUNNING if claims else ExecutionStatus.PENDING)


async def test_what_asks_for_tags_waits_for_an_executor_that_carries_them(
    platform: Platform, executor_settings: ExecutorSettings
) -> None:
    wanted = await platform.an_execution("echo ran", executor_tags=("eu", "gpu"))
    async with an_executor(executor_settings):
        await platform.doorbell.ring(wanted)  # into the list that it hears: only the claim refuses it
        await platform.doorbell.ring(wanted, ("eu", "gpu"))
        anywhere = await platform.run("echo heard after the ring for the other")
        assert await platform.status(wanted) == ExecutionStatus.PENDING
        async with an_executor(executor_settings, executor_tags="gpu,arm,eu"):
            done = await platform.end_of(wanted)

    assert (anywhere.status, done.status, done.stdout) == ("COMPLETED", "COMPLETED", b"ran\n")
    assert done.executor_id != anywhere.executor_id


async def test_an_executor_with_tags_hears_each_of_its_lists(
    platform: Platform, executor_settings: ExecutorSettings
) -> None:
    asked: list[tuple[str, ...]] = [(), ("eu",), ("gpu",), ("eu", "gpu")]
    queued = [await platform.an_execution("true", executor_tags=tags) for tags in asked]
    for execution, tags in zip(queued, asked, strict=True):
        await platform.doorbell.ring(execution, tags)
    async with an_executor(executor_settings, executor_tags="eu,gpu"):
        done = [await platform.end_of(execution) for execution in queued]
    assert {row.status for row in done} == {"COMPLETED"}


async def test_a_long_list_does_not_starve_the_others(platform: Platform) -> None:
    execution = await platform.an_execution("true")
    for tags in ((), ("eu",), ("gpu",)):
        for _ in range(100):
            await platform.doorbell.ring(execution, tags)
    lists = [list_of(tags) for tags in ((), ("eu",), ("gpu",))]
    heard, redis = execution_queue(platform.redis_url, carried=("eu", "gpu")), Redis.from_url(platform.redis_url)
    rings = heard.listen()
    for _ in range(60):
        async with asyncio.timeout(20):
            await anext(rings)
    taken = Counter({name: 100 - await redis.llen(name) for name in lists})
    await rings.aclose()
    await heard.shutdown()
    await redis.aclose()
    assert taken.total() == 60
    assert min(taken.values()) >= 3, taken  # by chance less than once in a million


async def test_the_sweep_rings_for_tags_that_a_live_executor_carries_and_for_no_others(platform: Platform) -> None:
    """Nobody would ever take the other rings out of their list."""
    tagged = await platform.an_execution("true", executor_tags=("eu", "gpu"))
    await _an_executor_is_known(platform, ("eu",))
    assert await _due(platform) == []
    carrier = await _an_executor_is_known(platform, ("arm", "eu", "gpu"))
    assert await _due(platform) == [(tagged, ("eu", "gpu"))]
    async with transaction(platform.sessions) as tx:
        await tx.session.execute(update(executions).values(rung_at=None))
    await carrier.stop()
    assert await _due(platform) == []


async def _due(platform: Platform) -> list[turns.Waiting]:
    async with transaction(platform.sessions) as tx:
        return await lifecycle.to_ring_again(tx.session)


async def _an_executor_is_known(platform: Platform, tags: tuple[str, ...]) -> Registration:
    offer = Offer(executor_id="-".join(tags), tags=tags, concurrency=1, isolation=[], lease=timedelta(minutes=1))
    registration = Registration(platform.sessions, offer, running=lambda: 0)
    await registration.begin()
    return registration


async def test_whose_turn_has_come_is_rung_for_with_its_tags(platform: Platform) -> None:
    first = await platform.an_execution("true", executor_tags=("eu",), concurrency=ConcurrencyPolicy.QUEUE)
    async with transaction(platform.sessions) as tx:
        claim = await lifecycle.claim(tx.session, first, "somebody", lease=MINUTE, tags=("eu",))
        assert claim is not None
    second = await Line(platform, first).join()
    async with transaction(platform.sessions) as tx:
        done = AttemptOutcome(ExecutionStatus.COMPLETED, 0)
        await lifecycle.finish(tx.session, first, claim.epoch, done, NOTHING_WRITTEN, isolation=(), jitter=0)
    async with platform.sessions() as session:
        assert await turns.next_in_line(session, first) == (second, ("eu",))


async def test_a_ring_goes_into_the_list_of_its_tags(platform: Platform) -> None:
    execution = await platform.an_execution("true", executor_tags=("eu", "gpu"))
    redis, queue = Redis.from_url(platform.redis_url), execution_queue(platform.redis_url)
    await Doorbell(queue).ring(execution, ("gpu", "eu"))
    assert await redis.keys("oncall:executions*") == [b"oncall:executions:eu+gpu"]
    await queue.shutdown()
    await redis.aclose()
