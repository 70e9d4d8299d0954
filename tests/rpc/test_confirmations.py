"""Who is waited for, and what becomes of it where connections, servers and gateways die; see decision 0023."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
from sqlalchemy import select, text

from kernel.database import Sessions, transaction
from kernel.status_page_tables import status_page_confirmations, status_page_watches
from oncall.v1 import partner_service_pb2 as partner_pb
from oncall.v1 import status_page_service_pb2 as pages_pb
from oncall.v1.partner_pb2 import Partner
from server.jobs.retention import forget_expired_watches
from tests.conftest import EmbeddedPostgres, away
from tests.rpc.conftest import Refusal, a_server, refusal_of
from tests.rpc.test_processes import environment_of
from tests.rpc.watching_gateway import MARK, a_desk, let_watches_expire, owed, still_waited_for, watching
from tests.status_pages import KnownPartner, StatusPageDesk
from tests.waiting import eventually

NOT_CONFIRMED = Refusal(grpc.StatusCode.UNAVAILABLE, "NOT_CONFIRMED")
NOT_WATCHING = Refusal(grpc.StatusCode.UNAVAILABLE, "NOT_WATCHING")
WATCH_UNKNOWN = Refusal(grpc.StatusCode.NOT_FOUND, "WATCH_UNKNOWN")
REVOKED = Refusal(grpc.StatusCode.PERMISSION_DENIED, "PARTNER_REVOKED")
SHORT = 0.5


async def test_who_revokes_waits_for_every_gateway_and_only_for_those_that_watch(
    database_url: str, redis_url: str
) -> None:
    async with a_desk(database_url, redis_url) as (server, desk), a_server(database_url, redis_url) as other:
        partner = await desk.a_partner(await desk.a_page())
        async with (
            watching(server.channel, desk, "one") as one,
            watching(other.channel, desk, "two") as two,
            watching(other.channel, desk, "gone"),
        ):
            await let_watches_expire(desk.sessions, "gone")
            revoking = asyncio.create_task(desk.revoke(partner))
            for gateway in (one, two):
                change = await gateway.heard(1)
                assert (list(change.revoked_partner_ids), change.confirm) == ([partner.id], True)
            await one.confirm(1)
            await still_waited_for([revoking])
            await two.renew()  # which confirms nothing
            await still_waited_for([revoking])
            await two.confirm(1)
            assert not (await asyncio.wait_for(revoking, 30)).is_active
            assert await owed(desk.sessions) == 1  # of the one that is gone


async def test_who_signs_out_waits_for_every_gateway_and_a_repeat_is_told_to_nobody(
    database_url: str, redis_url: str
) -> None:
    async with a_desk(database_url, redis_url) as (server, desk):
        page = await desk.a_page()
        asked = partner_pb.CreatePageSessionRequest(
            slug=page.slug, token=(await desk.a_partner(page)).token, client_ip="192.0.2.7"
        )
        session = (await desk.partners.CreatePageSession(asked, metadata=desk.gateway.metadata)).session_token
        end = partner_pb.EndPageSessionRequest(session_token=session)
        async with watching(server.channel, desk, "one") as gateway:
            ending = asyncio.ensure_future(desk.partners.EndPageSession(end, metadata=desk.gateway.metadata))
            change = await gateway.heard(1)
            assert list(change.ended_session_hashes) == [sha256(session.encode()).hexdigest()]
            assert session not in str(change)
            await still_waited_for([ending])
            await gateway.confirm(1)
            await asyncio.wait_for(ending, 30)
            await desk.partners.EndPageSession(end, metadata=desk.gateway.metadata)
            await desk.a_component(page, "API")
            assert not (await gateway.heard(2)).ended_session_hashes


async def test_a_change_that_takes_nothing_away_is_told_and_waited_for_by_nobody(
    database_url: str, redis_url: str
) -> None:
    async with a_desk(database_url, redis_url) as (server, desk):
        page = await desk.a_page()
        async with watching(server.channel, desk, "silent") as gateway:
            component = await desk.a_component(page, "API")
            change = await gateway.heard(1)
            assert (change.status_page_id, list(change.slugs), change.confirm) == (page.id, [page.slug], False)
            await desk.sets(component.id, name="Interface")
            assert (await gateway.heard(2)).page_version == change.page_version + 1
            assert await owed(desk.sessions) == 0


async def test_a_watch_that_is_renewed_but_never_confirms_runs_out(database_url: str, redis_url: str) -> None:
    async with a_desk(database_url, redis_url, lease=SHORT) as (server, desk):
        partner = await desk.a_partner(await desk.a_page())
        async with watching(server.channel, desk, "silent") as gateway:
            revoking = asyncio.create_task(_revoked_at_last(desk, partner))
            await gateway.heard(1)
            with contextlib.suppress(grpc.aio.AioRpcError):
                async with asyncio.timeout(60):
                    while True:
                        await gateway.renew()
                        await asyncio.sleep(SHORT / 10)
            assert await refusal_of(gateway.renew()) == WATCH_UNKNOWN
            assert not (await asyncio.wait_for(revoking, 30)).is_active
            assert await refusal_of(gateway.renew(gateway.changes[0].id)) == WATCH_UNKNOWN  # late, and back it never is


async def _revoked_at_last(desk: StatusPageDesk, partner: KnownPartner) -> Partner:
    """Asks again where nobody could tell, as on a machine that stood still."""
    while True:
        try:
            return await desk.revoke(partner)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise


async def test_where_postgresql_goes_away_meanwhile_the_change_stands_and_a_repeat_waits_again(
    own_postgres: EmbeddedPostgres, redis_url: str
) -> None:
    async with a_desk(own_postgres.url, redis_url) as (server, desk):
        page = await desk.a_page()
        partner = await desk.a_partner(page)
        async with watching(server.channel, desk, "one") as gateway:
            revoking = asyncio.ensure_future(refusal_of(desk.revoke(partner)))
            await gateway.heard(1)
            with away(own_postgres):
                assert await revoking == NOT_CONFIRMED
                await eventually(gateway.over, within=30)

        async def listening() -> bool:
            return server.platform.watches._listening.is_set()

        await eventually(listening, within=30)
        assert await refusal_of(desk.read(page.slug, partner.token)) == REVOKED
        async with watching(server.channel, desk, "one") as gateway:
            again = asyncio.create_task(desk.revoke(partner))
            changes = [await gateway.heard(1), await gateway.heard(2)]
            assert [list(change.revoked_partner_ids) for change in changes] == [[partner.id], [partner.id]]
            await gateway.confirm(1)
            await still_waited_for([again])
            await gateway.confirm(2)
            assert not (await asyncio.wait_for(again, 30)).is_active
        assert await owed(desk.sessions) == 0


async def test_a_lost_connection_ends_the_streams_and_what_was_missed_is_owed_still(
    database_url: str, redis_url: str
) -> None:
    async with a_desk(database_url, redis_url) as (server, desk):
        page = await desk.a_page()
        partner = await desk.a_partner(page)
        async with watching(server.channel, desk, "one") as before:
            async with transaction(server.sessions) as tx:
                cut = await tx.session.execute(
                    text(
                        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND query = 'SELECT 1' AND pid <> pg_backend_pid()"
                        " OR datname = current_database() AND query LIKE 'LISTEN%'"
                    )
                )
                assert cut.scalar_one() >= 1
            await eventually(before.over, within=30)
            assert before.ended == NOT_WATCHING
        revoking = asyncio.create_task(desk.revoke(partner))  # of which the stream that is gone never told

        async def obliged() -> bool:
            return await owed(desk.sessions) == 1

        await eventually(obliged, within=30)
        async with watching(server.channel, desk, "one") as after:
            change = await after.heard(1)
            assert (list(change.revoked_partner_ids), change.confirm) == ([partner.id], True)
            await still_waited_for([revoking])
            await after.confirm(1)
            await asyncio.wait_for(revoking, 30)
            await desk.a_component(page, "API")

            async def told_again() -> bool:
                return after.changes[-1].page_version > change.page_version

            await eventually(told_again, within=30)


async def test_a_server_that_dies_between_commit_and_waiting_leaves_what_a_repeat_waits_for(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    """The caller hears UNAVAILABLE from a dead server, asks another, and hears nothing before the gateway confirmed."""
    async with a_desk(database_url, redis_url) as (server, desk):
        page = await desk.a_page()
        partner = await desk.a_partner(page)
        old = await _page_token(desk, page.id, "first")

        def take_away(of: StatusPageDesk) -> list[asyncio.Future[Any]]:
            calls = (of.rotates(partner, request_id="second"), _page_token(of, page.id, "second"))
            return [asyncio.ensure_future(call) for call in calls]

        async with (
            a_doomed_server(database_url, redis_url, tmp_path) as (doomed, kill),
            watching(server.channel, desk, "one") as gateway,
        ):
            firsts = take_away(StatusPageDesk(doomed, desk.sessions, desk.team, desk.gateway))
            await gateway.heard(2)  # so both are committed
            await still_waited_for(firsts, 0.3)
            await kill()
            for lost in await asyncio.gather(*firsts, return_exceptions=True):
                assert isinstance(lost, grpc.aio.AioRpcError)
                assert lost.code() is grpc.StatusCode.UNAVAILABLE
            assert await refusal_of(desk.read(page.slug, partner.token)) == REVOKED
            assert (await refusal_of(desk.read(page.slug, page_token=old))).reason == "TOKEN_UNKNOWN"
            repeats = take_away(desk)
            await gateway.heard(4)
            await gateway.confirm(1)
            await gateway.confirm(2)
            await still_waited_for(repeats)
            await gateway.confirm(3)
            await gateway.confirm(4)
            await asyncio.wait_for(asyncio.gather(*repeats), 30)
            assert await owed(desk.sessions) == 0


async def _page_token(desk: StatusPageDesk, page_id: str, request_id: str) -> str:
    request = pages_pb.RotatePageTokenRequest(status_page_id=page_id, request_id=request_id)
    return (await desk.pages.RotatePageToken(request, metadata=desk.team.author.metadata)).token


@contextlib.asynccontextmanager
async def a_doomed_server(
    database_url: str, redis_url: str, folder: Path
) -> AsyncIterator[tuple[grpc.aio.Channel, Callable[[], Awaitable[None]]]]:
    """A server process, and what kills it as kill -9 does."""
    environment = environment_of(database_url, redis_url, folder)
    ready = Path(environment["ONCALL_READY_FILE"])
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "server", env=environment)

    async def is_ready() -> bool:
        assert process.returncode is None
        return await asyncio.to_thread(ready.exists)

    async def kill() -> None:
        process.kill()
        await process.wait()

    try:
        await eventually(is_ready, within=60)
        address = json.loads(await asyncio.to_thread(ready.read_text))["address"]
        async with grpc.aio.insecure_channel(address) as channel:
            yield channel, kill
    finally:
        if process.returncode is None:
            await kill()


async def test_what_is_confirmed_or_owed_by_nobody_any_more_is_forgotten(database_url: str, redis_url: str) -> None:
    async with a_desk(database_url, redis_url) as (server, desk):
        partners: list[KnownPartner] = [await desk.a_partner(await desk.a_page()) for _ in range(2)]
        async with watching(server.channel, desk, "stays") as stays, watching(server.channel, desk, "goes"):
            await let_watches_expire(desk.sessions, "goes")
            for number, partner in enumerate(partners, start=1):
                revoking = asyncio.create_task(desk.revoke(partner))
                await stays.confirm(number)
                await asyncio.wait_for(revoking, 30)
            assert await owed(desk.sessions) == 2
            assert await forget_expired_watches(desk.sessions) == 0  # not yet: they might still be asked about
            await grow_old(desk.sessions)
            assert await forget_expired_watches(desk.sessions) == 1
            async with desk.sessions() as session:
                watches = (await session.scalars(select(status_page_watches.c.watch_id))).all()
                confirmations = (await session.scalars(select(status_page_confirmations.c.watch_id))).all()
            assert (list(watches), list(confirmations)) == ([MARK + "stays"], [])


async def grow_old(sessions: Sessions) -> None:
    """Moves what has ended or was confirmed an hour into the past."""
    async with transaction(sessions) as tx:
        await tx.session.execute(
            text("UPDATE status_page_watches SET expires_at = expires_at - interval '1 hour' WHERE expires_at < now()")
        )
        await tx.session.execute(
            text("UPDATE status_page_confirmations SET confirmed_at = confirmed_at - interval '1 hour'")
        )


async def test_a_stop_ends_the_streams_soon(database_url: str, redis_url: str) -> None:
    async with a_desk(database_url, redis_url) as (server, desk), watching(server.channel, desk, "one") as gateway:
        server.platform.watches.stop()
        await eventually(gateway.over, within=30)
        assert gateway.ended == NOT_WATCHING
