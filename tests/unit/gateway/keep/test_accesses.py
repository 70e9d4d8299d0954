"""Every answer is counted once, whatever is lost on the way; and what cannot be counted is told in the log."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.keep import accesses
from gateway.keep.accesses import Accesses, AccessKey, Batch
from gateway.keep.clock import Clock
from gateway.keep.disk import Disk
from tests.unit.gateway.keep.scripted_server import ScriptedServer, a_keeper
from tests.unit.gateway.keep.visitors import EVERYBODY, asking, refused
from tests.waiting import eventually


async def test_each_answer_is_counted_once_also_where_the_answer_to_a_batch_is_lost() -> None:
    server = ScriptedServer(forget_answer_of_record=1)
    async with a_keeper(server) as keeper:
        for agent in ("curl", "firefox"):
            for _ in range(10):
                await keeper.show(asking(agent=agent))
        await keeper.show(EVERYBODY)
        await keeper.show(EVERYBODY)

        async def has_arrived() -> bool:
            return server.recorded["partner-1"] == 20 and not server.forget_answer_of_record

        await eventually(has_arrived)
        await keeper.show(asking())
    assert server.recorded == {"partner-1": 21}  # the last one came at the stop


async def test_an_answer_of_the_server_that_is_lost_on_the_way_is_counted_where_it_was_replaced() -> None:
    server = ScriptedServer(lease=1000.0)
    async with a_keeper(server) as keeper:
        await keeper.show(asking())
        server.title = "Out"
        change = await server.change(confirm=False)

        async def asks_again() -> bool:
            return keeper.shelf.floors.of(change.status_page_id).fresh >= change.page_version

        await eventually(asks_again)
        server.hold.clear()
        waiting = asyncio.create_task(keeper.show(asking()))

        async def is_computed() -> bool:
            return server.computed == 2

        await eventually(is_computed)
        server.away = True
        server.hold.set()
        assert (await waiting).stale_since is not None
        server.away = False
    assert server.recorded == {"partner-1": 2}


async def test_who_is_shown_nothing_is_not_counted() -> None:
    server = ScriptedServer(lease=1000.0)
    async with a_keeper(server) as keeper:
        server.hold.clear()
        waiting = asyncio.create_task(refused(keeper, asking()))

        async def is_computed() -> bool:
            return server.computed == 1

        await eventually(is_computed)
        server.away = True
        server.hold.set()
        assert await waiting == "UNAVAILABLE"
        server.away = False
    assert not server.recorded


async def test_the_first_access_of_a_session_does_not_wait_for_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accesses, "FLUSH_SECONDS", 1000.0)
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        await keeper.show(asking())

        async def is_recorded() -> bool:
            return server.recorded["partner-1"] == 1

        await eventually(is_recorded)
        await keeper.show(asking())
        await keeper.show(asking(agent="firefox"))

        async def both_are_recorded() -> bool:
            return server.recorded["partner-1"] == 3

        await eventually(both_are_recorded)


async def test_a_stop_sends_what_is_left_until_the_server_has_taken_it() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        for _ in range(7):
            await keeper.show(asking())
        server.refuse_records = 3
    assert server.recorded == {"partner-1": 7}
    assert not server.refuse_records


async def test_what_a_stop_could_not_send_is_told_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accesses, "STOP_SECONDS", 0.3)
    server = ScriptedServer(refuse_records=1_000_000)
    with capture_logs() as logged:
        async with a_keeper(server) as keeper:
            for _ in range(7):
                await keeper.show(asking())

            async def is_tried() -> bool:  # so that some are in a batch already, and some are not
                return server.refuse_records < 1_000_000

            await eventually(is_tried)
            await keeper.show(asking())
    assert [line["accesses"] for line in logged if line["event"] == "accesses_lost"] == [8]


async def test_what_a_stop_could_not_send_is_kept_in_the_folder_and_sent_once_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, disk = ScriptedServer(), Disk(tmp_path)
    with capture_logs() as logged:
        async with a_keeper(server, disk) as keeper:
            await keeper.show(asking())
            server.forget_answer_of_record = 1_000_000  # what it takes over it cannot say
            await keeper.show(asking(agent="firefox"))
            monkeypatch.setattr(accesses, "STOP_SECONDS", 0.3)
    disk.close()
    assert [line["accesses"] for line in logged if line["event"] == "accesses_kept"]
    assert not [line for line in logged if line["event"] == "accesses_lost"]
    server.forget_answer_of_record = 0
    for _ in range(2):
        disk = Disk(tmp_path)
        async with a_keeper(server, disk) as keeper:
            await keeper.show(asking())
        assert await disk.unsent() == []
        disk.close()
    assert server.recorded == {"partner-1": 4}


async def test_what_is_left_is_in_the_folder_before_a_stop_asks_the_server(tmp_path: Path) -> None:
    """So that it is not lost with a process that is killed because it does not stop soon enough."""
    disk, counted, kept = Disk(tmp_path), Accesses(Clock()), []

    async def send(batch: Batch) -> None:
        kept.append([one.request_id for one in await disk.unsent()])
        assert batch.request_id in kept[-1]

    counted.count(_client(1))
    flushing = asyncio.create_task(accesses.flush_each_second(counted, send, disk))
    await asyncio.sleep(0)
    flushing.cancel()
    await asyncio.wait([flushing])
    assert len(kept) == 1
    assert await disk.unsent() == []
    disk.close()


async def test_where_there_is_no_room_to_count_another_client_the_server_counts() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        keeper.shelf.accesses._limit = 1
        keeper.shelf.accesses.has_new.clear()
        for agent in ("curl", "firefox", "feeds"):
            await keeper.show(asking(agent=agent))
        assert [request.counted_by_gateway for request in server.asked] == [True, False, False]
    assert server.recorded == {"partner-1": 3}


async def test_where_there_is_no_room_and_no_server_the_log_tells_how_many_were_not_counted() -> None:
    server = ScriptedServer()
    with capture_logs() as logged:
        async with a_keeper(server) as keeper:
            await keeper.show(asking())
            keeper.shelf.accesses._limit = 0
            server.away = True
            keeper.shelf.lease.lost()
            for agent in ("firefox", "feeds"):
                assert (await keeper.show(asking(agent=agent))).stale_since is not None
            server.away = False
    assert server.recorded == {"partner-1": 1}
    assert sum(line["accesses"] for line in logged if line["event"] == "accesses_lost") == 2


async def test_a_flush_sends_what_was_counted_when_it_began_and_the_next_one_what_came_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accesses, "BATCH", 4)
    counted, sent = Accesses(Clock()), []

    async def send(batch: Batch) -> None:
        sent.append(sum(some.count for some in batch.accesses))
        for client in range(2):
            counted.count(_client(client))

    for client in range(10):
        counted.count(_client(client))
    async with asyncio.timeout(10):
        await counted.flush(send)
        assert sent == [4, 4, 2]
        await counted.flush(send)
    assert sent == [4, 4, 2, 6]


async def test_what_the_server_will_never_take_is_let_go_and_told_in_the_log() -> None:
    counted = Accesses(Clock())
    counted.count(_client(1))

    async def send(_: Batch) -> None:
        raise ValueError("INVALID_ARGUMENT")

    with capture_logs() as logged:
        await counted.flush(send)
        counted.give_up()
    assert [(line["event"], line["accesses"]) for line in logged] == [("accesses_refused", 1)]


def _client(number: int) -> AccessKey:
    return AccessKey("partner-1", "token-1", "ocp_one", f"192.0.2.{number}", "curl")
