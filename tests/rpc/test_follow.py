"""What a watcher sees: every event once, in order, whatever happens to the live log on its way."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from kernel.database import sessions
from oncall.v1 import execution_pb2
from tests.builders import TeamWithPeople
from tests.rpc.conftest import Refusal, RunningServer, as_refusal
from tests.rpc.watched import Watched, a_watched_execution
from tests.waiting import eventually


@pytest.fixture
async def watched(running_server: RunningServer, team: TeamWithPeople) -> Watched:
    return await a_watched_execution(running_server, team)


def _sequences(events: list[execution_pb2.ExecutionEvent]) -> list[int]:
    return [event.sequence for event in events]


def _bytes(events: list[execution_pb2.ExecutionEvent]) -> bytes:
    return b"".join(event.output.data for event in events)


async def test_a_live_watcher_sees_every_event_once_and_in_order(watched: Watched) -> None:
    watching = asyncio.create_task(watched.watched_to_the_end())
    await watched.being_watched()
    await watched.executor.claim()
    for number in range(100):
        await watched.executor.say(b"%d\n" % number)
    await watched.executor.finish()
    events = await watching
    assert _sequences(events) == list(range(1, 104))
    assert _bytes(events) == b"".join(b"%d\n" % number for number in range(100))
    assert events[0].execution.status == execution_pb2.EXECUTION_STATUS_PENDING
    assert events[-1].execution.status == execution_pb2.EXECUTION_STATUS_COMPLETED
    assert events[-1].execution.exit_code == 0
    assert [layer.held for layer in events[-1].execution.isolation] == [True]


@pytest.mark.parametrize("after", range(8))
async def test_a_watcher_resumes_after_any_sequence_live_and_ended(watched: Watched, after: int) -> None:
    watching = asyncio.create_task(watched.watched_to_the_end(after))
    await watched.being_watched()
    await watched.executor.claim()
    await watched.executor.say(b"a", b"b", b"c")
    await watched.executor.finish()
    expected = list(range(after + 1, 7))
    assert _sequences(await watching) == expected
    assert _sequences(await watched.watched_to_the_end(after)) == expected


async def test_events_that_are_published_twice_out_of_order_or_never_are_healed(watched: Watched) -> None:
    watching = asyncio.create_task(watched.watched_to_the_end())
    await watched.being_watched()
    claimed = await watched.executor.claim(publish=False)
    said = await watched.executor.say(*(b"%d" % (number % 10) for number in range(20)), publish=False)
    await watched.executor.publish(said[10:15])
    await watched.executor.publish(said[:3] + said[:3])
    await watched.executor.publish(claimed)
    await watched.executor.publish(reversed(said[3:8]))
    await watched.server.platform.redis.publish(f"oncall:log:{watched.id}", b"\x00no frame")
    await watched.executor.finish()
    events = await watching
    assert _sequences(events) == list(range(1, 24))
    assert _bytes(events) == b"01234567890123456789"


async def test_events_that_redis_never_told_of_arrive_all_the_same(watched: Watched) -> None:
    watching = asyncio.create_task(watched.watched_to_the_end())
    await watched.being_watched()
    await watched.executor.claim(publish=False)
    await watched.executor.say(b"silent", publish=False)
    await watched.executor.finish(publish=False)
    assert _sequences(await watching) == [1, 2, 3, 4]


async def test_many_watchers_of_one_execution_see_the_same_and_share_one_subscription(watched: Watched) -> None:
    watching = [asyncio.create_task(watched.watched_to_the_end(after)) for after in (0, 0, 1, 1, 2) for _ in range(4)]
    await watched.being_watched(20)
    assert watched.server.platform.logs.followed == 1
    await watched.executor.claim()
    await watched.executor.say(b"x" * 1000, b"y" * 1000)
    await watched.executor.finish()
    streams = await asyncio.gather(*watching)
    assert {tuple(_sequences(events))[-3:] for events in streams} == {(3, 4, 5)}


async def test_a_watcher_that_falls_behind_the_ring_misses_nothing(watched: Watched) -> None:
    answers = aiter(watched.watch())
    events = [(await anext(answers)).event]
    await watched.being_watched()
    await watched.executor.claim()
    chunk = b"0123456789abcdef" * 4096
    for _ in range(16):
        await watched.executor.say(*[chunk] * 20)  # 20 MiB in all: more than the ring and the channel hold
    await watched.executor.finish()
    events += [answer.event async for answer in answers]
    assert _sequences(events) == list(range(1, 324))
    assert _bytes(events) == chunk * 320


async def test_watching_beyond_the_end_of_what_has_ended_ends_at_once(watched: Watched) -> None:
    await watched.executor.claim()
    await watched.executor.finish()
    assert await watched.watched_to_the_end(3) == []
    assert await watched.watched_to_the_end(2**62) == []


async def test_watching_beyond_the_end_of_what_runs_ends_with_it(watched: Watched) -> None:
    watching = asyncio.create_task(watched.watched_to_the_end(1000))
    await watched.being_watched()
    await watched.executor.claim()
    await watched.executor.finish()
    assert await watching == []


async def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(watched: Watched) -> None:
    logs = watched.server.platform.logs
    calls = [watched.watch() for _ in range(10)]
    for call in calls:
        await call.read()
    await watched.being_watched(10)
    for call in calls:
        call.cancel()

    async def forgotten() -> bool:
        return logs.followed == 0 and not logs._subscription._standing and not logs._subscription._wanted

    await eventually(forgotten)
    engine = watched.server.platform.engine
    assert engine.pool.checkedout() == len(sessions(engine).kept)  # type: ignore[attr-defined]
    await watched.executor.claim()
    await watched.executor.finish()
    assert _sequences(await watched.watched_to_the_end(1)) == [2, 3]


async def test_a_client_that_leaves_without_reading_leaves_nothing_behind(watched: Watched) -> None:
    logs = watched.server.platform.logs
    call = watched.watch()
    await call.read()
    await watched.being_watched()
    await watched.executor.claim()
    for _ in range(16):
        await watched.executor.say(*[b"x" * 65536] * 20)
    call.cancel()

    async def forgotten() -> bool:
        return logs.followed == 0

    await eventually(forgotten)


async def test_stopping_ends_streams_and_says_so(watched: Watched) -> None:
    call = watched.watch()
    await call.read()
    await watched.being_watched()
    async with asyncio.timeout(20):  # not only when the grace is over
        await watched.server.platform.stop(grace=60)
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await call.read()
    refused = as_refusal(ended.value)
    assert refused == Refusal(grpc.StatusCode.UNAVAILABLE, "SERVER_STOPPING")
    assert refused.retries_after is not None
