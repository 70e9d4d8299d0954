"""What the keeper answers without asking, when it asks, and what it shows while nobody can be asked."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from asyncio.subprocess import PIPE
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.asked import Asked, Credential, CredentialKind
from gateway.keep.contents import AudienceKey
from gateway.keep.disk import Disk, FolderInUse
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
    watching,
)
from tests.waiting import eventually


def asking(
    token: str = "good",  # noqa: S107 # known to the scripted server alone
    ip: str = "192.0.2.1",
    kind: CredentialKind = CredentialKind.PARTNER_TOKEN,
    agent: str = "curl",
) -> Asked:
    return Asked("acme", Credential(kind, token), ip, agent)


EVERYBODY = Asked("acme", Credential(CredentialKind.NONE), "192.0.2.9", "curl")


async def refused(keeper: Keeper, asked: Asked) -> str:
    with pytest.raises(Refusal) as refusal:
        await keeper.show(asked)
    return refusal.value.reason


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


async def test_an_answer_that_is_always_overtaken_ends_as_unavailable() -> None:
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


async def test_a_partner_with_a_limit_is_answered_from_the_grant_and_then_by_the_server() -> None:
    held = HeldClock()
    server = ScriptedServer(clock=held.clock(), lease=1000.0, limit=pb.RateLimit(limit=60, remaining=40, granted=3))
    server.limit.reset_after.seconds = 30  # type: ignore[union-attr]
    async with a_keeper(server) as keeper:
        left = [(await keeper.show(asking())).rate_limit for _ in range(5)]
        assert [some.remaining for some in left if some] == [43, 42, 41, 40, 43]
        assert len(server.asked) == 2
        assert server.asked[1].wanted_grant >= 4
        assert left[0]
        assert (left[0].limit, left[0].reset_seconds) == (60, 30)
        held.ahead += 1.0
        await keeper.show(asking())
        assert len(server.asked) == 3


async def test_one_asks_for_the_next_grant_while_the_others_use_what_is_left_and_none_of_it_is_lost() -> None:
    held = HeldClock()
    server = ScriptedServer(clock=held.clock(), lease=1000.0, limit=pb.RateLimit(limit=600, remaining=40, granted=10))
    async with a_keeper(server) as keeper:
        for _ in range(8):
            await keeper.show(asking())
        assert len(server.asked) == 1  # three of ten are left
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
        for _ in range(10):  # two of the last grant, and eight of the next one
            await keeper.show(asking())
        assert len(server.asked) == 2


async def test_many_at_once_do_not_get_past_a_limit() -> None:
    server = ScriptedServer(limit=pb.RateLimit(limit=60, remaining=40, granted=0))
    async with a_keeper(server) as keeper:
        await asyncio.gather(*(keeper.show(asking()) for _ in range(50)))
        assert len(server.asked) == 50


async def test_accesses_are_counted_once_also_where_the_answer_to_a_batch_is_lost() -> None:
    server = ScriptedServer(forget_answer_of_record=1)
    async with a_keeper(server) as keeper:
        for agent in ("curl", "firefox"):
            for _ in range(10):
                await keeper.show(asking(agent=agent))
        await keeper.show(EVERYBODY)
        await keeper.show(EVERYBODY)

        async def has_arrived() -> bool:
            return server.recorded["partner-1"] == 19 and not server.forget_answer_of_record

        await eventually(has_arrived)
        await keeper.show(asking())
    assert server.recorded == {"partner-1": 20}  # one was counted by the server itself; the last one came at the stop
    assert sorted(server.batches.values()) == [1, 2]


async def test_memory_stays_within_its_limits() -> None:
    server = ScriptedServer()
    async with a_keeper(server, clients_limit=10, contents_limit=2_000) as keeper:
        for number in range(40):
            server.credentials[f"t{number}"] = Known(f"p{number}", f"k{number}")
            await keeper.show(asking(f"t{number}"))
        assert len(keeper.shelf.admissions) == 10
        assert len(keeper.shelf.admissions._by_credential) == 10
        assert keeper.shelf.contents.weight <= 2_000
        keeper.shelf.accesses._limit = 1
        before = len(server.asked)
        await keeper.show(asking("t39", agent="another"))
        await keeper.show(asking("t39", agent="and another"))
        assert len(server.asked) == before + 1  # no room to count it: the server does


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
        assert (await asyncio.wait_for(following, 5)).content.status_page.name == "Out"
        following = asyncio.ensure_future(anext(stream))
        server.credentials["good"].refused = "PARTNER_REVOKED"
        await server.change(confirm=True, revoked_partner_ids=["partner-1"])
        with pytest.raises(Refusal) as refusal:
            await asyncio.wait_for(following, 5)
        assert refusal.value.reason == "PARTNER_REVOKED"
        assert all(request.background for request in server.asked)


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


async def test_a_gateway_that_starts_while_the_server_is_away_shows_what_it_had(tmp_path: Path) -> None:
    server = ScriptedServer()
    folder = tmp_path / "kept"
    disk = Disk(folder)
    async with a_keeper(server, disk) as keeper:
        await keeper.show(asking())
        await keeper.show(asking("other"))
        with pytest.raises(FolderInUse):
            Disk(folder)
        await disk.write()
        await server.confirmation(await server.change(confirm=True, revoked_partner_ids=["partner-1"]))
    disk.close()
    server.away = True
    disk = Disk(folder)
    async with a_keeper(server, disk) as keeper:
        shown = await keeper.show(asking("other"))
        assert shown.content.status_page.name == "All good"
        assert shown.stale_since is not None
        assert await refused(keeper, asking()) == "PARTNER_REVOKED"
        server.away = False
        await watching(keeper)
        again = await keeper.show(asking("other"))
        assert again.stale_since is None
        assert server.asked[-1].known_content_tag == shown.tag
    disk.close()


async def test_no_credential_is_on_the_disk_or_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "ocp_a-secret-that-is-nowhere"
    server = ScriptedServer()
    server.credentials[secret] = Known("partner-9", "token-9")
    disk = Disk(tmp_path / "kept")
    async with a_keeper(server, disk) as keeper:
        await keeper.show(asking(secret))
        await disk.write()
        assert secret not in repr(asking(secret))
    disk.close()
    for file in (tmp_path / "kept").iterdir():
        assert secret.encode() not in file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0
    assert (tmp_path / "kept").stat().st_mode & 0o077 == 0
    assert secret not in caplog.text


async def test_a_broken_file_is_put_aside_and_the_gateway_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    Disk(folder).close()
    (folder / "kept.sqlite3").write_bytes(os.urandom(5_000))
    server = ScriptedServer()
    disk = Disk(folder)
    async with a_keeper(server, disk) as keeper:
        await keeper.show(asking())
        await disk.write()
        assert await disk.content(next(iter(keeper.shelf.contents))) is not None
    disk.close()


async def _asked(server: ScriptedServer, times: int) -> bool:
    return len(server.asked) >= times


async def _floor_is(keeper: Keeper, version: int) -> bool:
    return keeper.shelf.floors.of(PAGE).fresh >= version


async def test_a_gateway_killed_while_it_writes_leaves_whole_pages(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITING, str(folder), stdout=PIPE)
    assert process.stdout
    for _ in range(20):
        assert await process.stdout.readline() == b"written\n"
    process.kill()
    await process.wait()
    disk = Disk(folder)
    version = (await disk.endings())[2][0][1]
    content = await disk.content(AudienceKey(PAGE, "partner-1"))
    assert version >= 20
    assert content is None or content.page_version >= version
    disk.close()


WRITING = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from gateway.keep.admission import Admission, Client
from gateway.keep.contents import Content
from gateway.keep.disk import Disk
from oncall.v1.partner_service_pb2 import GetStatusPageResponse, StatusPageChange

async def main():
    disk, now, client = Disk(Path(sys.argv[1])), datetime.now(UTC), Client(b"c" * 32, b"c" * 32)
    shown = GetStatusPageResponse(content_tag="x" * 100_000)
    shown.status_page.id, shown.audience.partner_id = "page-1", "partner-1"
    for version in range(1, 100_000):
        admission = Admission(client.credential, "page-1", "partner-1", "t", "p", False, version, now, now, None)
        disk.keep(client, admission, Content(shown, f"{version}", version, now, now, 1))
        await disk.write()
        await disk.end(StatusPageChange(status_page_id="page-1", page_version=version, confirm=True), now)
        print("written", flush=True)

asyncio.run(main())
"""
