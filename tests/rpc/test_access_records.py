"""Who read: sessions at once, counts in batches, each batch once; who may see it, page by page."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import grpc

from oncall.v1 import partner_service_pb2 as pb
from oncall.v1 import status_page_service_pb2 as pages_pb
from server.domain.partner_access import Visitor
from tests.builders import Person, a_person, a_team
from tests.conftest import EmbeddedPostgres, away
from tests.rpc.conftest import Refusal, RunningServer, a_server, refusal_of
from tests.status_pages import PUBLIC, KnownPartner, StatusPageDesk
from tests.waiting import eventually

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NOT_FOUND = Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


def invalid(*fields: str) -> Refusal:
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", fields)


async def records(desk: StatusPageDesk, request_id: str, *accesses: pb.AnsweredAccesses) -> None:
    """Sends a batch as the gateway would."""
    request = pb.RecordPartnerAccessesRequest(request_id=request_id, accesses=accesses)
    await desk.partners.RecordPartnerAccesses(request, metadata=desk.gateway.metadata)


async def answered(
    desk: StatusPageDesk, partner: KnownPartner, at: datetime = NOON, lasts: timedelta = MINUTE, **fields: Any
) -> pb.AnsweredAccesses:
    """What a gateway says that it answered to a partner's client."""
    audience = (
        await desk.partners.GetStatusPage(
            pb.GetStatusPageRequest(
                slug=fields.pop("slug"), client_ip="192.0.2.7", partner_token=partner.token, background=True
            ),
            metadata=desk.gateway.metadata,
        )
    ).audience
    known = {"client_ip": "192.0.2.7", "user_agent": "feeds/1.0", "count": 1, **fields}
    some = pb.AnsweredAccesses(
        partner_id=audience.partner_id, token_id=audience.token_id, token_prefix=audience.token_prefix, **known
    )
    some.first_at.FromDatetime(at)
    some.last_at.FromDatetime(at + lasts)
    return some


async def sessions_of(desk: StatusPageDesk, partner: KnownPartner, caller: Person | None = None, **paging: Any) -> Any:
    request = pb.ListPartnerSessionsRequest(partner_id=partner.id, **paging)
    return await desk.partners.ListPartnerSessions(request, metadata=(caller or desk.team.observer).metadata)


async def days_of(desk: StatusPageDesk, partner: KnownPartner, caller: Person | None = None, **paging: Any) -> Any:
    request = pb.ListPartnerAccessRequest(partner_id=partner.id, **paging)
    return await desk.partners.ListPartnerAccess(request, metadata=(caller or desk.team.observer).metadata)


async def own_report(desk: StatusPageDesk, slug: str, **asked: Any) -> Any:
    request = pb.ListPartnerAccessRequest(page_size=asked.pop("page_size", 0), page_token=asked.pop("page_token", ""))
    request.asked.CopyFrom(pb.GetStatusPageRequest(**{"slug": slug, "client_ip": "192.0.2.7", **asked}))
    return await desk.partners.ListPartnerAccess(request, metadata=desk.gateway.metadata)


async def test_the_first_access_of_a_session_is_written_at_once(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    await desk.read(page.slug, partner.token, client_ip="::ffff:192.0.2.9", user_agent="curl/8")

    async def written() -> bool:
        return bool((await sessions_of(desk, partner)).sessions)

    await eventually(written)
    (session,) = (await sessions_of(desk, partner)).sessions
    assert (session.client_ip, session.user_agent, session.access_count) == ("192.0.2.9", "curl/8", 1)
    assert partner.token.startswith(session.token_prefix)
    assert session.started_at == session.last_active_at


async def test_accesses_are_counted_once_however_often_a_batch_is_sent(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    batch = [await answered(desk, partner, slug=page.slug, count=40)]
    await asyncio.gather(*(records(desk, "batch-1", *batch) for _ in range(5)))
    await records(desk, "batch-1", *batch)
    other = await answered(desk, partner, slug=page.slug, count=1000, client_ip="203.0.113.1")
    await records(desk, "batch-1", other)  # an id that was used counts nothing, whatever it comes with
    kept = await desk.kept(partner)
    assert (kept.access_count, kept.last_access_at.ToDatetime(UTC)) == (40, NOON + MINUTE)
    assert kept.tokens[0].last_used_at == kept.last_access_at
    await records(desk, "batch-2", other)
    assert (await desk.kept(partner)).access_count == 1040
    days = (await days_of(desk, partner)).accesses
    assert [(day.date, day.client_ip, day.access_count) for day in days] == [
        ("2026-03-01", "203.0.113.1", 1000),
        ("2026-03-01", "192.0.2.7", 40),
    ]


async def test_what_one_client_reads_within_half_an_hour_is_one_session(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    for number, (after, agent) in enumerate(((0, "a"), (30, "a"), (61, "a"), (62, "b"), (200, "a"))):
        some = await answered(desk, partner, NOON + after * MINUTE, slug=page.slug, user_agent=agent, count=2)
        await records(desk, f"batch-{number}", some)
    # Late, and before what is known already: it moves no time back.
    await records(desk, "late", await answered(desk, partner, NOON + 199 * MINUTE, slug=page.slug, user_agent="a"))
    found = [
        (s.user_agent, s.access_count, s.started_at.ToDatetime(UTC), s.last_active_at.ToDatetime(UTC))
        for s in (await sessions_of(desk, partner)).sessions
    ]
    assert found == [
        ("a", 3, NOON + 199 * MINUTE, NOON + 201 * MINUTE),
        ("b", 2, NOON + 62 * MINUTE, NOON + 63 * MINUTE),
        ("a", 6, NOON, NOON + 62 * MINUTE),
    ]
    assert (await desk.kept(partner)).last_access_at.ToDatetime(UTC) == NOON + 201 * MINUTE


async def test_a_batch_with_anything_wrong_counts_nothing(desk: StatusPageDesk, running_server: RunningServer) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    good = await answered(desk, partner, slug=page.slug)
    before = await running_server.everything_stored()
    wrong = (
        ("partner_id", {"partner_id": "nobody"}),
        ("token_id", {"token_id": ""}),
        ("token_prefix", {"token_prefix": "nul\0"}),
        ("client_ip", {"client_ip": "somewhere"}),
        ("count", {"count": 0}),
        ("count", {"count": 10_000_001}),
        ("last_at", {"last_at": datetime(2026, 3, 1, 11, tzinfo=UTC)}),
        ("first_at", {"first_at": datetime(1, 1, 1, tzinfo=UTC)}),
        ("first_at", {"first_at": datetime(1970, 1, 1, tzinfo=UTC)}),
    )
    for field, changes in wrong:
        bad = pb.AnsweredAccesses()
        bad.CopyFrom(good)
        for name, value in changes.items():
            if isinstance(value, datetime):
                getattr(bad, name).FromDatetime(value)
            else:
                setattr(bad, name, value)
        assert await refusal_of(records(desk, "bad", good, bad)) == invalid(f"accesses[1].{field}"), field
    assert await refusal_of(records(desk, "", good)) == invalid("request_id")
    assert await refusal_of(records(desk, "x" * 101, good)) == invalid("request_id")
    assert await refusal_of(records(desk, "many", *[good] * 1001)) == invalid("accesses")
    assert await running_server.everything_stored() == before
    await records(desk, "bad", good)  # whose id is free still
    assert (await desk.kept(partner)).access_count == 1


async def test_a_gateway_whose_clock_is_ahead_moves_no_last_access_beyond_now(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    ahead = datetime.now(UTC) + timedelta(days=1)
    await records(desk, "ahead", await answered(desk, partner, ahead, slug=page.slug, count=2))
    kept = await desk.kept(partner)
    assert kept.access_count == 2
    assert kept.last_access_at.ToDatetime(UTC) <= datetime.now(UTC)
    (session,) = (await sessions_of(desk, partner)).sessions
    assert session.started_at == session.last_active_at == kept.last_access_at == kept.tokens[0].last_used_at


async def test_accesses_of_a_partner_who_is_gone_are_counted_for_nobody(desk: StatusPageDesk) -> None:
    page, other = await desk.a_page(), await desk.a_page()
    gone, stays = await desk.a_partner(page), await desk.a_partner(other)
    batch = [
        await answered(desk, gone, slug=page.slug),
        await answered(desk, stays, slug=other.slug),
    ]
    delete = pages_pb.DeleteStatusPageRequest(status_page_id=page.id)
    await desk.pages.DeleteStatusPage(delete, metadata=desk.team.author.metadata)
    await records(desk, "batch", *batch)
    assert (await desk.kept(stays)).access_count == 1


async def test_lists_go_page_by_page_newest_first_and_to_nobody_else(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    partner, other = await desk.a_partner(page), await desk.a_partner(page)
    for number in range(5):
        some = await answered(desk, partner, NOON + number * timedelta(days=1), slug=page.slug)
        await records(desk, f"batch-{number}", some)
    for ask, items, key in ((sessions_of, "sessions", "id"), (days_of, "accesses", "date")):
        whole = [getattr(item, key) for item in getattr(await ask(desk, partner), items)]
        assert (len(whole), whole) == (5, sorted(whole, reverse=True))
        token, found = "", []
        while True:
            some = await ask(desk, partner, page_size=2, page_token=token)
            found.append([getattr(item, key) for item in getattr(some, items)])
            token = some.next_page_token
            if not token:
                break
            stolen = await refusal_of(ask(desk, other, page_token=token))
            assert stolen == Refusal(grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID", ("page_token",))
        assert ([name for part in found for name in part], [len(part) for part in found]) == (whole, [2, 2, 1])
        assert await refusal_of(ask(desk, partner, page_size=-1)) == invalid("page_size")
        assert list(getattr(await ask(desk, other), items)) == []
        outsider = (await a_team(desk.sessions)).author
        assert await refusal_of(ask(desk, partner, outsider)) == NOT_FOUND
        unknown = KnownPartner(str(UUID(int=7)), "")
        assert await refusal_of(ask(desk, unknown)) == NOT_FOUND


async def test_partners_read_their_own_report_and_only_with_what_lets_them_in(desk: StatusPageDesk) -> None:
    page = await desk.a_page(PUBLIC)
    partner = await desk.a_partner(page, requests_per_minute=4)
    for number in range(3):
        some = await answered(desk, partner, NOON + number * timedelta(days=1), slug=page.slug, count=number + 1)
        await records(desk, f"batch-{number}", some)
    first = await own_report(desk, page.slug, any_token=partner.token, page_size=2)
    rest = await own_report(desk, page.slug, partner_token=partner.token, page_token=first.next_page_token)
    counts = [day.access_count for part in (first, rest) for day in part.accesses]
    assert (counts, rest.next_page_token) == ([3, 2, 1], "")
    stranger = await desk.a_partner(await desk.a_page())
    assert await refusal_of(own_report(desk, page.slug)) == NOT_FOUND  # everybody has none
    assert await refusal_of(own_report(desk, page.slug, partner_token=stranger.token)) == NOT_FOUND
    away = await desk.a_partner(page, ip_allowlist=["198.51.100.1"])
    denied = await refusal_of(own_report(desk, page.slug, partner_token=away.token))
    assert denied == Refusal(grpc.StatusCode.PERMISSION_DENIED, "IP_NOT_ALLOWED")
    for _ in range(2):
        await own_report(desk, page.slug, partner_token=partner.token)
    limited = await refusal_of(own_report(desk, page.slug, partner_token=partner.token))
    assert limited.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    request = pb.ListPartnerAccessRequest()
    request.asked.CopyFrom(pb.GetStatusPageRequest(slug=page.slug, client_ip="192.0.2.7", partner_token=partner.token))
    as_admin = desk.partners.ListPartnerAccess(request, metadata=desk.team.author.metadata)
    assert (await refusal_of(as_admin)).code is grpc.StatusCode.PERMISSION_DENIED
    as_gateway = days_of(desk, partner, desk.gateway)
    assert await refusal_of(as_gateway) == NOT_FOUND


async def test_what_postgresql_could_not_take_is_written_when_it_is_back_without_another_access(
    own_postgres: EmbeddedPostgres, redis_url: str
) -> None:
    async with a_server(own_postgres.url, redis_url) as server:
        gateway = await a_person(server.sessions, service_account="gateway")
        desk = StatusPageDesk(server.channel, server.sessions, await a_team(server.sessions), gateway)
        page = await desk.a_page()
        partner = await desk.a_partner(page)
        accesses = server.platform.accesses
        known = await answered(desk, partner, slug=page.slug)
        visitor = Visitor(UUID(known.partner_id), UUID(known.token_id), known.token_prefix, "192.0.2.7", "curl/8")
        with away(own_postgres):
            for _ in range(3):
                await accesses.note(visitor, datetime.now(UTC))
            await accesses.flush(within=0.5)

        async def written() -> bool:
            try:
                return (await desk.kept(partner)).access_count == 3
            except grpc.aio.AioRpcError:  # PostgreSQL is just back
                return False

        await eventually(written, within=30)
