"""Rates over Redis, shared by all servers; without Redis each server counts for itself, and goes back to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from cli.launcher.embedded_redis import EmbeddedRedis
from oncall.v1 import partner_service_pb2 as pb
from oncall.v1 import status_page_pb2
from tests.builders import a_person, a_team
from tests.conftest import away
from tests.rpc.conftest import Refusal, a_server, refusal_of
from tests.rpc.test_credentials_of_readers import a_page_token, a_session
from tests.status_pages import KnownPartner, StatusPageDesk
from tests.waiting import eventually

TOO_MANY = Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED")
UNKNOWN = Refusal(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_UNKNOWN")
GARBAGE = "ocp_garbage-that-nobody-was-ever-given"


@asynccontextmanager
async def two_servers(database_url: str, redis_url: str) -> AsyncIterator[tuple[StatusPageDesk, StatusPageDesk]]:
    async with (
        a_server(database_url, redis_url, bad_credentials_per_minute=3) as one,
        a_server(database_url, redis_url, bad_credentials_per_minute=3) as two,
    ):
        gateway, team = await a_person(one.sessions, service_account="gateway"), await a_team(one.sessions)
        yield tuple(StatusPageDesk(server.channel, server.sessions, team, gateway) for server in (one, two))  # type: ignore[misc]


async def let_in(desk: StatusPageDesk, slug: str, partner: KnownPartner) -> int:
    """Answers how often a partner reads until they are told that it is too often."""
    for times in range(10):
        try:
            await desk.read(slug, partner.token)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
            return times
    raise AssertionError("nobody was told that it is too often")


async def test_a_rate_is_one_for_all_servers(database_url: str, redis_url: str) -> None:
    async with two_servers(database_url, redis_url) as (one, two):
        page = await one.a_page()
        partner, other = await one.a_partner(page, requests_per_minute=4), await one.a_partner(page)
        lefts = [(await desk.read(page.slug, partner.token)).rate_limit.remaining for desk in (one, two, one, two)]
        assert lefts == [3, 2, 1, 0]
        for desk in (one, two):
            assert await refusal_of(desk.read(page.slug, partner.token)) == TOO_MANY
        assert not (await two.read(page.slug, other.token)).HasField("rate_limit")


async def test_what_is_granted_is_taken_and_is_what_a_second_may_have(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page, requests_per_minute=600)
    limit = (await desk.read(page.slug, partner.token, wanted_grant=1000)).rate_limit
    assert (limit.limit, limit.granted, limit.remaining) == (600, 10, 589)
    limit = (await desk.read(page.slug, partner.token, wanted_grant=2)).rate_limit
    assert (limit.granted, limit.remaining) == (2, 586)
    assert 0 <= limit.reset_after.ToTimedelta().total_seconds() <= 60
    slow = await desk.a_partner(page, requests_per_minute=59)
    assert (await desk.read(page.slug, slow.token, wanted_grant=1000)).rate_limit.granted == 0


async def test_without_redis_each_server_counts_for_itself_and_goes_back_to_it(
    database_url: str, own_redis: EmbeddedRedis
) -> None:
    async with two_servers(database_url, own_redis.url) as (one, two):
        page = await one.a_page()
        partner = await one.a_partner(page, requests_per_minute=2)
        for desk in (one, two):
            await desk.read(page.slug, partner.token)
        assert await refusal_of(one.read(page.slug, partner.token)) == TOO_MANY
        with away(own_redis):
            for desk in (one, two):
                # Two in a minute, and two more where the minute turns meanwhile.
                assert 2 <= await let_in(desk, page.slug, partner) <= 4

        counted_alone = await one.a_partner(page, requests_per_minute=1_000_000)
        own = 1_000_000 - (await one.read(page.slug, counted_alone.token)).rate_limit.remaining

        async def together() -> bool:
            """Whether what the one counts is seen by the other."""
            for desk in (one, two):
                await desk.read(page.slug, counted_alone.token)
            before = (await one.read(page.slug, counted_alone.token)).rate_limit.remaining
            return bool((await two.read(page.slug, counted_alone.token)).rate_limit.remaining == before - 1)

        assert own > 0
        await eventually(together, within=30)


async def test_bad_credentials_are_counted_by_address_over_all_servers(database_url: str, redis_url: str) -> None:
    async with two_servers(database_url, redis_url) as (one, two):
        page = await one.a_page()
        partner = await one.a_partner(page)

        async def shows_garbage(desk: StatusPageDesk, client_ip: str) -> Refusal:
            return await refusal_of(desk.read(page.slug, GARBAGE, client_ip=client_ip))

        same_client = (
            ("198.51.100.1", "::ffff:198.51.100.1", "::ffff:c633:6401"),
            ("2001:db8::1", "2001:db8:0:0:ffff::2", "2001:DB8::3"),
        )
        for addresses in same_client:
            for desk, address in zip((one, two, one), addresses, strict=True):
                assert await shows_garbage(desk, address) == UNKNOWN
            for desk in (one, two):
                refused = await shows_garbage(desk, addresses[0])
                assert refused == TOO_MANY
                assert refused.retries_after is not None
                assert 1 <= refused.retries_after <= 60
        for other in ("198.51.100.2", "2001:db8:0:1::1"):
            assert await shows_garbage(one, other) == UNKNOWN
        # A good credential from there is let in: somebody behind the same address must not lock others out.
        for addresses in same_client:
            assert (await two.read(page.slug, partner.token, client_ip=addresses[0])).audience.partner_id == partner.id


async def test_every_guess_counts_and_what_was_once_good_is_none(database_url: str, redis_url: str) -> None:
    async with two_servers(database_url, redis_url) as (desk, _):
        page = await desk.a_page()
        stranger = await desk.a_partner(await desk.a_page())
        former = await an_ended_session(desk, page)
        for _ in range(5):  # a browser sends its cookie by itself; and a partner of another page has guessed nothing
            assert await refusal_of(desk.read(page.slug, session_token=former)) == UNKNOWN
            assert (await refusal_of(desk.read(page.slug, stranger.token))).code is grpc.StatusCode.NOT_FOUND
        assert await refusal_of(desk.read(page.slug, page_token=GARBAGE)) == UNKNOWN
        assert await refusal_of(desk.read("no-such-page", session_token="ocs_made-up")) == UNKNOWN
        assert await refusal_of(a_session(desk, page.slug, GARBAGE)) == UNKNOWN
        asked = pb.GetStatusPageRequest(slug=page.slug, client_ip="192.0.2.7", any_token=GARBAGE)
        report = pb.ListPartnerAccessRequest(asked=asked)
        assert await refusal_of(desk.partners.ListPartnerAccess(report, metadata=desk.gateway.metadata)) == TOO_MANY


async def an_ended_session(desk: StatusPageDesk, page: status_page_pb2.StatusPage) -> str:
    session: str = (await a_session(desk, page.slug, await a_page_token(desk, page))).session_token
    await a_page_token(desk, page)
    return session
