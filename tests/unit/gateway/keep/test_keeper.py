"""What the keeper answers without asking, and when it asks: once for many, within limits, for live streams too."""

from __future__ import annotations

import asyncio

import pytest

from gateway.asked import CredentialKind
from gateway.keep.fill import ATTEMPTS
from gateway.keep.keeper import Keeper
from gateway.refusal import Refusal
from oncall.v1 import partner_service_pb2 as pb
from tests.unit.gateway.keep.scripted_server import (
    PAGE,
    HeldClock,
    Known,
    ScriptedServer,
    a_keeper,
    serving,
    unwatched,
)
from tests.unit.gateway.keep.visitors import EVERYBODY, asking, refused
from tests.waiting import eventually


async def test_a_page_is_asked_for_once_and_then_repeated() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        first = await keeper.show(asking())
        second = await keeper.show(asking())
        assert len(server.asked) == 1
        assert (first.content.status_page.name, first.tag) == ("All good", "tag of All good")
        assert second.content is first.content
        assert second.renderings is first.renderings
        assert first.stale_since is second.stale_since is None
        assert not first.content.page_version
        assert not first.content.audience.token_id


async def test_an_admission_is_of_one_credential_and_one_address() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        for asked in (asking(), asking("other"), asking(ip="192.0.2.2"), asking(kind=CredentialKind.SESSION)):
            await keeper.show(asked)
        assert len(server.asked) == 4
        assert await refused(keeper, asking("garbage")) == "TOKEN_UNKNOWN"
        assert await refused(keeper, asking("garbage")) == "TOKEN_UNKNOWN"
        assert len(server.asked) == 6


async def test_a_change_is_seen_on_the_next_request_with_one_question_for_all_of_an_audience() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        clients = [asking(ip=f"192.0.2.{number}") for number in range(50)]
        await asyncio.gather(*(keeper.show(asked) for asked in clients))
        asked_before = len(server.asked)
        server.title = "Something is out"
        await server.change()
        await eventually(lambda: _floor_is(keeper, server.version))
        shown = await asyncio.gather(*(keeper.show(asked) for asked in clients * 10))
        assert {page.content.status_page.name for page in shown} == {"Something is out"}
        assert len(server.asked) - asked_before == 1


async def test_five_hundred_who_come_at_once_are_one_computation() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        shown = await asyncio.gather(*(keeper.show(asking()) for _ in range(500)))
        assert len(shown) == 500
        assert server.computed == 1
        await asyncio.gather(*(keeper.show(EVERYBODY) for _ in range(500)))
        assert server.computed == 2


async def test_a_storm_without_a_watch_asks_at_most_for_those_who_came_after_the_question() -> None:
    server = ScriptedServer(renews=False)
    async with serving(server) as calls:
        keeper = Keeper(calls)
        server.hold.clear()
        first = asyncio.ensure_future(keeper.show(asking()))
        await eventually(lambda: _asked(server, 1))
        rest = [asyncio.ensure_future(keeper.show(asking())) for _ in range(200)]
        await asyncio.sleep(0)
        server.title = "Changed meanwhile"
        server.hold.set()
        assert (await first).content.status_page.name == "All good"
        assert {(await one).content.status_page.name for one in rest} == {"Changed meanwhile"}
        assert len(server.asked) == 2


async def test_a_page_that_changes_all_the_time_is_shown_as_it_was_since_it_was_asked_for() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:

        async def change() -> None:
            version = (await server.change()).page_version
            await eventually(lambda: _floor_is(keeper, version))

        server.on_its_way = change
        for number in range(1, 3):
            server.title = f"Before {number}"
            assert (await keeper.show(asking())).content.status_page.name == f"Before {number}"
            assert len(server.asked) == number * ATTEMPTS  # what was overtaken is not kept
        server.on_its_way = None
        server.title = "Now"
        for _ in range(2):
            assert (await keeper.show(asking())).content.status_page.name == "Now"
        assert len(server.asked) == 2 * ATTEMPTS + 1


async def test_what_was_overtaken_by_a_change_that_takes_away_is_asked_for_until_it_is_not() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:

        async def narrow() -> None:
            server.title = f"{len(server.asked)} fewer"
            version = (await server.change(confirm=len(server.asked) <= ATTEMPTS)).page_version
            await eventually(lambda: _floor_is(keeper, version))

        server.on_its_way = narrow
        assert (await keeper.show(asking())).content.status_page.name == f"{ATTEMPTS} fewer"
        assert len(server.asked) == ATTEMPTS + 1


async def test_the_first_of_many_may_leave() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        server.hold.clear()
        first = asyncio.ensure_future(keeper.show(asking()))
        await eventually(lambda: _asked(server, 1))
        others = [asyncio.ensure_future(keeper.show(asking())) for _ in range(3)]
        await asyncio.sleep(0)
        first.cancel()
        server.hold.set()
        assert [(await one).content.status_page.name for one in others] == ["All good"] * 3
        with pytest.raises(asyncio.CancelledError):
            await first
        assert len(server.asked) == 1


async def test_a_partner_with_a_limit_is_answered_from_the_grant_and_then_by_the_server() -> None:
    held = HeldClock()
    server = ScriptedServer(clock=held.clock(), lease=1000.0, limit=pb.RateLimit(limit=60, remaining=40, granted=3))
    server.limit.reset_after.seconds = 30  # type: ignore[union-attr]
    async with a_keeper(server) as keeper:
        left = [(await keeper.show(asking())).rate_limit for _ in range(5)]
        assert [some.remaining for some in left if some] == [43, 42, 41, 44, 43]
        assert len(server.asked) == 2
        assert server.asked[1].wanted_grant in (1, 2)  # as many as came in a second, but for the one that is left
        assert left[0]
        assert (left[0].limit, left[0].reset_seconds) == (60, 30)
        held.ahead += 1.0
        await keeper.show(asking())
        assert len(server.asked) == 3


async def test_one_asks_for_the_next_grant_while_the_others_use_what_is_left_and_none_of_it_is_lost() -> None:
    held = HeldClock()
    server = ScriptedServer(clock=held.clock(), lease=1000.0, limit=pb.RateLimit(limit=600, remaining=40, granted=10))
    async with a_keeper(server) as keeper:
        for _ in range(6):
            await keeper.show(asking())
        assert len(server.asked) == 1  # five of ten are left
        held.ahead += 0.8
        server.hold.clear()
        renewing = asyncio.create_task(keeper.show(asking()))

        async def asked_again() -> bool:
            return len(server.asked) == 2

        await eventually(asked_again)
        await keeper.show(asking())
        assert not renewing.done()
        server.hold.set()
        await renewing
        for _ in range(8):  # four of the last grant, and four of the next one
            await keeper.show(asking())
        assert len(server.asked) == 2


async def test_many_at_once_do_not_get_past_a_limit() -> None:
    server = ScriptedServer(limit=pb.RateLimit(limit=60, remaining=40, granted=0))
    async with a_keeper(server) as keeper:
        await asyncio.gather(*(keeper.show(asking()) for _ in range(50)))
        assert len(server.asked) == 50


async def test_memory_stays_within_its_limits() -> None:
    server = ScriptedServer()
    async with a_keeper(server, clients_limit=10, contents_limit=2_000) as keeper:
        for number in range(40):
            server.credentials[f"t{number}"] = Known(f"p{number}", f"k{number}")
            await keeper.show(asking(f"t{number}"))
        assert len(keeper.shelf.admissions) == 10
        assert len(keeper.shelf.admissions._by_credential) == 10
        assert keeper.shelf.contents.weight <= 2_000


async def test_a_live_stream_tells_what_its_audience_sees_and_ends_at_revocation() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        stream = keeper.changes(asking(), "tag of All good")
        following = asyncio.ensure_future(anext(stream))
        await eventually(lambda: _asked(server, 1))
        server.titles["partner-2"] = "Only the other sees this"
        await server.change()
        await eventually(lambda: _asked(server, 2))
        await asyncio.sleep(0.05)
        assert not following.done()
        server.title = "Out"
        await server.change()
        assert (await asyncio.wait_for(following, 20)).content.status_page.name == "Out"
        following = asyncio.ensure_future(anext(stream))
        server.credentials["good"].refused = "PARTNER_REVOKED"
        await server.change(confirm=True, revoked_partner_ids=["partner-1"])
        with pytest.raises(Refusal) as refusal:
            await asyncio.wait_for(following, 20)
        assert refusal.value.reason == "PARTNER_REVOKED"
        assert all(request.background for request in server.asked)


async def test_a_live_stream_tells_nothing_while_the_server_is_away_and_all_that_is_new_when_it_is_back() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        await keeper.show(asking())
        server.away = True
        server.end_streams()
        await unwatched(keeper)
        stream = keeper.changes(asking(), "a tag of long ago")
        before = len(server.asked)
        following = asyncio.ensure_future(anext(stream))
        await eventually(lambda: _asked(server, before + 2))  # for whom it is, and then whether there is something new
        await asyncio.sleep(0.05)
        assert not following.done()
        assert (await keeper.show(asking())).stale_since is not None
        server.title = "Out meanwhile"
        server.away = False
        assert (await asyncio.wait_for(following, 20)).tag == "tag of Out meanwhile"


async def test_a_hundred_live_streams_are_one_question_per_change() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        streams = [keeper.changes(asking(), "") for _ in range(100)]
        await asyncio.gather(*(anext(stream) for stream in streams))
        before = len(server.asked)
        following = [asyncio.ensure_future(anext(stream)) for stream in streams]
        await asyncio.sleep(0)
        server.title = "Out"
        await server.change()
        assert {(await one).tag for one in following} == {"tag of Out"}
        assert len(server.asked) == before + 1
        await asyncio.gather(*(stream.aclose() for stream in streams))  # type: ignore[attr-defined]


async def _asked(server: ScriptedServer, times: int) -> bool:
    return len(server.asked) >= times


async def _floor_is(keeper: Keeper, version: int) -> bool:
    return keeper.shelf.floors.of(PAGE).fresh >= version
