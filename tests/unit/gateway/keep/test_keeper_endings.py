"""What the keeper no longer answers: ended accesses, ended leases, what was narrowed; and what it shows as stale."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from hashlib import sha256

import pytest

from gateway.asked import CredentialKind
from gateway.keep.keeper import Keeper
from gateway.refusal import Refusal
from oncall.v1 import partner_service_pb2 as pb
from tests.unit.gateway.keep.scripted_server import (
    PAGE,
    HeldClock,
    ScriptedServer,
    a_keeper,
    serving,
    unwatched,
    watching,
)
from tests.unit.gateway.keep.visitors import asking, refused
from tests.waiting import eventually


async def test_a_revoked_partner_is_refused_from_the_confirmation_on_also_while_the_server_is_away() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        await keeper.show(asking())
        await keeper.show(asking("other"))
        server.credentials["good"].refused = "PARTNER_REVOKED"
        await server.confirmation(await server.change(confirm=True, revoked_partner_ids=["partner-1"]))
        server.away = True
        assert await refused(keeper, asking()) == "PARTNER_REVOKED"
        asked = len(server.asked)
        assert (await keeper.show(asking("other"))).stale_since is None
        assert len(server.asked) == asked  # it is nothing to them, and what is kept for them still holds
        server.away = False
        assert await refused(keeper, asking()) == "PARTNER_REVOKED"


@pytest.mark.parametrize("told_first", [True, False])
async def test_an_answer_on_its_way_does_not_bring_a_revoked_partner_back(told_first: bool) -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        server.hold.clear()
        fill = asyncio.ensure_future(keeper.show(asking()))
        await eventually(lambda: _asked(server, 1))
        server.credentials["good"].refused = "PARTNER_REVOKED"
        if told_first:
            await server.confirmation(await server.change(confirm=True, revoked_partner_ids=["partner-1"]))
            server.hold.set()
            with pytest.raises(Refusal) as refusal:
                await fill
            assert refusal.value.reason == "PARTNER_REVOKED"
        else:
            server.hold.set()
            await fill
            await server.confirmation(await server.change(confirm=True, revoked_partner_ids=["partner-1"]))
        server.away = True
        assert await refused(keeper, asking()) in {"PARTNER_REVOKED", "UNAVAILABLE"}


async def test_a_question_that_goes_unanswered_says_nothing_to_who_came_after_it() -> None:
    """As on waking: a question was under way when the gateway was stopped, and is found to be over its time at once."""
    server = ScriptedServer(renews=False)  # the lease has ended
    async with serving(server) as calls:
        keeper = Keeper(calls)
        await keeper.show(asking())
        server.hold.clear()
        first = asyncio.ensure_future(keeper.show(asking()))
        await eventually(lambda: _asked(server, 2))
        server.credentials["good"].refused = "PARTNER_REVOKED"
        rest = [asyncio.ensure_future(keeper.show(asking())) for _ in range(3)]
        await asyncio.sleep(0)

        async def leave_it_unanswered() -> None:
            server.on_its_way, server.away = None, True
            asyncio.get_running_loop().call_soon(setattr, server, "away", False)

        server.on_its_way = leave_it_unanswered
        server.hold.set()
        assert (await first).stale_since is not None
        refusals = await asyncio.gather(*rest, return_exceptions=True)
        assert [refused.reason for refused in refusals if isinstance(refused, Refusal)] == ["PARTNER_REVOKED"] * 3


async def test_a_session_that_ends_while_it_is_asked_about_for_the_first_time_is_not_let_in() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        session, other = asking("good", kind=CredentialKind.SESSION), asking("other", kind=CredentialKind.SESSION)
        await keeper.show(other)
        server.hold.clear()
        first = asyncio.ensure_future(keeper.show(session))
        await eventually(lambda: _asked(server, 2))
        await server.confirmation(await server.change(confirm=True, ended_session_hashes=[sha256(b"good").hexdigest()]))
        server.hold.set()
        with pytest.raises(Refusal) as refusal:
            await first
        assert refusal.value.reason == "TOKEN_UNKNOWN"
        await keeper.show(other)
        assert len(server.asked) == 2


async def test_a_change_is_confirmed_only_once_it_counts() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        counted = asyncio.Event()
        apply = keeper.apply

        async def held(change: pb.StatusPageChange) -> None:
            await counted.wait()
            await apply(change)

        keeper._watch._apply = held
        server.end_streams()
        await unwatched(keeper)
        await watching(keeper)
        await keeper.show(asking())
        change = await server.change(confirm=True, ended_token_ids=["token-1"])
        await asyncio.sleep(0.3)
        assert change.id not in server.confirmed
        counted.set()
        await server.confirmation(change)
        assert await refused(keeper, asking()) == "PARTNER_REVOKED"


async def test_an_answer_that_is_older_than_what_was_known_before_ends_as_unavailable() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        await server.change()
        await eventually(lambda: _floor_is(keeper, server.version))
        server.version = 1
        assert await refused(keeper, asking()) == "UNAVAILABLE"
        assert len(server.asked) == 4
        assert [request.background for request in server.asked] == [False, True, True, True]


async def test_what_was_kept_before_a_new_stream_is_asked_for_again_and_comes_without_content() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        before = await keeper.show(asking())
        server.end_streams()
        await unwatched(keeper)
        await watching(keeper)
        again = await keeper.show(asking())
        assert len(server.asked) == 2
        assert server.asked[1].known_content_tag == before.tag
        assert again.content is before.content
        assert again.renderings is before.renderings
        await keeper.show(asking())
        assert len(server.asked) == 2
        assert len(set(server.watch_ids)) == 2


async def test_nothing_is_believed_beyond_the_lease() -> None:
    held = HeldClock()
    server = ScriptedServer(clock=held.clock(), lease=60.0)
    async with a_keeper(server) as keeper:
        await keeper.show(asking())
        await keeper.show(asking())
        assert len(server.asked) == 1
        held.ahead += 60.0
        await keeper.show(asking())
        assert len(server.asked) == 2


async def test_a_lease_that_ends_while_the_server_is_asked_leaves_nothing_to_repeat() -> None:
    held = HeldClock()
    server = ScriptedServer(clock=held.clock(), lease=60.0)
    async with a_keeper(server) as keeper:
        server.hold.clear()
        first = asyncio.ensure_future(keeper.show(asking()))
        await eventually(lambda: _asked(server, 1))
        second = asyncio.ensure_future(keeper.show(asking()))
        await asyncio.sleep(0)
        held.ahead += 60.0
        server.hold.set()
        await first
        await second
        assert len(server.asked) == 2


async def test_without_a_stream_each_request_is_asked_for_unless_a_grace_is_configured() -> None:
    for grace, questions in ((0.0, 3), (30.0, 1)):
        server = ScriptedServer(lease=30.0)
        async with a_keeper(server, grace_seconds=grace) as keeper:
            await keeper.show(asking())
            keeper.shelf.lease.lost()
            await keeper.show(asking())
            await keeper.show(asking())
            assert len(server.asked) == questions


async def test_an_access_ends_at_its_second_also_while_the_server_is_away() -> None:
    held = HeldClock()
    clock = held.clock()
    ends = clock.now() + timedelta(seconds=100)
    server = ScriptedServer(clock=clock, lease=1000.0)
    server.credentials["good"].ends_at = ends
    async with a_keeper(server) as keeper:
        await keeper.show(asking())
        server.away = True
        held.ahead += 90
        assert (await keeper.show(asking())).stale_since is None
        held.ahead += 10
        assert await refused(keeper, asking()) == "PARTNER_EXPIRED"


async def test_an_admission_is_renewed_after_its_time() -> None:
    held = HeldClock()
    server = ScriptedServer(clock=held.clock(), lease=1000.0)
    async with a_keeper(server) as keeper:
        await keeper.show(asking())
        held.ahead += 301
        await keeper.show(asking())
        assert len(server.asked) == 2
        server.away = True
        held.ahead += 301
        assert (await keeper.show(asking())).stale_since is not None


async def test_a_page_token_that_ended_is_refused_and_a_new_one_is_not() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        old, session, new = (
            asking("page", kind=CredentialKind.PAGE_TOKEN),
            asking("page", kind=CredentialKind.SESSION),
            asking("page", kind=CredentialKind.PARTNER_OR_PAGE_TOKEN),
        )
        for asked in (old, session):
            await keeper.show(asked)
        await server.confirmation(await server.change(confirm=True, page_token_ended=True))
        await keeper.show(new)
        server.away = True
        assert await refused(keeper, old) == "TOKEN_UNKNOWN"
        assert await refused(keeper, session) == "TOKEN_UNKNOWN"
        await keeper.show(new)


async def test_what_was_narrowed_is_not_shown_as_stale_and_what_only_changed_is() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        await keeper.show(asking())
        await server.change()
        await eventually(lambda: _floor_is(keeper, server.version))
        server.away = True
        assert (await keeper.show(asking())).content.status_page.name == "All good"
        server.away = False
        await keeper.show(asking())
        await server.confirmation(await server.change(confirm=True))
        server.away = True
        assert await refused(keeper, asking()) == "UNAVAILABLE"


async def test_what_the_server_refuses_is_not_shown_as_stale_afterwards_from_any_address() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        await keeper.show(asking())
        await keeper.show(asking(ip="192.0.2.2"))
        server.end_streams()
        await unwatched(keeper)
        server.credentials["good"].refused = "PARTNER_REVOKED"
        assert await refused(keeper, asking(ip="192.0.2.3")) == "PARTNER_REVOKED"
        server.away = True
        for ip in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
            assert await refused(keeper, asking(ip=ip)) in {"PARTNER_REVOKED", "UNAVAILABLE"}


async def test_stale_pages_say_since_when_and_unknown_clients_get_nothing() -> None:
    server = ScriptedServer()
    async with a_keeper(server) as keeper:
        await keeper.show(asking())
        server.away = True
        server.end_streams()
        await unwatched(keeper)
        shown = await keeper.show(asking())
        assert shown.stale_since is not None
        assert timedelta(0) <= server.clock.now() - shown.stale_since < timedelta(seconds=20)
        assert await refused(keeper, asking(ip="192.0.2.77")) == "UNAVAILABLE"
        assert await refused(keeper, asking("garbage")) == "UNAVAILABLE"


async def _asked(server: ScriptedServer, times: int) -> bool:
    return len(server.asked) >= times


async def _floor_is(keeper: Keeper, version: int) -> bool:
    return keeper.shelf.floors.of(PAGE).fresh >= version
