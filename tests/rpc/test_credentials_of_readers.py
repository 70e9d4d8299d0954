"""Each kind of credential, what a session is bound to, and until when an answer may be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from oncall.v1 import partner_service_pb2 as pb
from oncall.v1 import status_page_pb2
from oncall.v1 import status_page_service_pb2 as pages_pb
from tests.rpc.conftest import Refusal, RunningServer, refusal_of
from tests.rpc.test_partner_changes import HOUR, end_of_grace
from tests.status_pages import PUBLIC, KnownPartner, StatusPageDesk, names
from tests.waiting import eventually

TOKEN_UNKNOWN = Refusal(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_UNKNOWN")
NOT_FOUND = Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
KINDS = ("partner_token", "page_token", "session_token", "any_token")
FIVE_MINUTES = timedelta(minutes=5)
CLOSE = timedelta(seconds=2)


def denied(reason: str) -> Refusal:
    return Refusal(grpc.StatusCode.PERMISSION_DENIED, reason)


async def a_session(desk: StatusPageDesk, slug: str, token: str, client_ip: str = "192.0.2.7") -> Any:
    request = pb.CreatePageSessionRequest(slug=slug, token=token, client_ip=client_ip)
    return await desk.partners.CreatePageSession(request, metadata=desk.gateway.metadata)


async def a_page_token(desk: StatusPageDesk, page: status_page_pb2.StatusPage) -> str:
    request = pages_pb.RotatePageTokenRequest(status_page_id=page.id)
    return (await desk.pages.RotatePageToken(request, metadata=desk.team.author.metadata)).token


async def reads_as(desk: StatusPageDesk, slug: str, secret: str) -> dict[str, str]:
    """Answers, for each kind that a credential can be presented as, whom the server takes its owner for."""
    found = {}
    for kind in KINDS:
        try:
            found[kind] = (await desk.read(slug, **{kind: secret})).audience.partner_name or "everybody"
        except grpc.aio.AioRpcError:
            found[kind] = "nobody"
    return found


async def test_who_signed_out_may_sign_in_again_also_where_their_access_ends_soon(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page, expires_at=datetime.now(UTC) + HOUR)
    first = await a_session(desk, page.slug, partner.token)
    assert first.expires_at.ToDatetime(UTC) < datetime.now(UTC) + HOUR
    end = pb.EndPageSessionRequest(session_token=first.session_token)
    await desk.partners.EndPageSession(end, metadata=desk.gateway.metadata)

    async def let_in() -> bool:
        again = (await a_session(desk, page.slug, partner.token)).session_token
        return again != first.session_token and bool(await desk.read(page.slug, session_token=again))

    await eventually(let_in)  # of a second there is one session


@pytest.mark.parametrize("of_page", [False, True], ids=["partner", "page token"])
async def test_a_session_that_was_signed_out_of_lets_nobody_in(desk: StatusPageDesk, of_page: bool) -> None:
    page = await desk.a_page()
    token = await a_page_token(desk, page) if of_page else (await desk.a_partner(page)).token
    session = (await a_session(desk, page.slug, token)).session_token
    assert await desk.read(page.slug, session_token=session)
    end = pb.EndPageSessionRequest(session_token=session)
    for _ in range(2):  # signing out twice is signing out
        await desk.partners.EndPageSession(end, metadata=desk.gateway.metadata)

    refused = await refusal_of(desk.read(page.slug, session_token=session))
    assert refused.code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_credential_counts_as_what_it_is_and_as_nothing_else(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page, name="Northwind")
    page_token = await a_page_token(desk, page)
    of_partner = (await a_session(desk, page.slug, partner.token)).session_token
    of_page = (await a_session(desk, page.slug, page_token)).session_token
    nobody = dict.fromkeys(KINDS, "nobody")
    expected: Mapping[str, dict[str, str]] = {
        partner.token: {**nobody, "partner_token": "Northwind", "any_token": "Northwind"},
        page_token: {**nobody, "page_token": "everybody", "any_token": "everybody"},
        of_partner: {**nobody, "session_token": "Northwind"},
        of_page: {**nobody, "session_token": "everybody"},
        "": nobody,
    }
    for secret, found in expected.items():
        assert await reads_as(desk, page.slug, secret) == found
    for session in (of_partner, of_page):  # no session is traded for another, which could then never end
        assert await refusal_of(a_session(desk, page.slug, session)) == TOKEN_UNKNOWN


async def test_a_session_is_of_one_page(desk: StatusPageDesk) -> None:
    page, other = await desk.a_page(), await desk.a_page(PUBLIC)
    partner = await desk.a_partner(page)
    of_partner = (await a_session(desk, page.slug, partner.token)).session_token
    of_page = (await a_session(desk, page.slug, await a_page_token(desk, page))).session_token
    for slug in (other.slug, "no-such-page"):
        assert await refusal_of(desk.read(slug, session_token=of_partner)) == NOT_FOUND
        assert await refusal_of(desk.read(slug, session_token=of_page)) == TOKEN_UNKNOWN
        assert await refusal_of(a_session(desk, slug, partner.token)) == NOT_FOUND


async def test_a_session_is_cut_by_whatever_cuts_its_token(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    api = await desk.a_component(page, "API")
    await desk.a_component(page, "Web")
    partner = await desk.a_partner(page)
    session = (await a_session(desk, page.slug, partner.token)).session_token

    async def cut(client_ip: str = "192.0.2.7") -> Refusal:
        return await refusal_of(desk.read(page.slug, session_token=session, client_ip=client_ip))

    await desk.changes_partner(partner, component_ids=[api.id])
    assert names((await desk.read(page.slug, session_token=session)).components) == ["API"]
    await desk.changes_partner(partner, ip_allowlist=["198.51.100.0/24"])
    assert await cut() == denied("IP_NOT_ALLOWED")
    assert (await desk.read(page.slug, session_token=session, client_ip="198.51.100.1")).audience.partner_id
    await desk.expire(partner)
    assert await cut("198.51.100.1") == denied("PARTNER_EXPIRED")
    await desk.changes_partner(partner, expires_at=datetime.now(UTC) + HOUR)
    rotated = await desk.rotates(partner, HOUR)
    assert (await desk.read(page.slug, session_token=session, client_ip="198.51.100.1")).audience.partner_id
    await end_of_grace(desk, rotated.old_token.prefix, datetime.now(UTC))
    assert await cut("198.51.100.1") == denied("PARTNER_EXPIRED")
    session = (await a_session(desk, page.slug, rotated.token, "198.51.100.1")).session_token
    await desk.rotates(partner)
    assert await cut("198.51.100.1") == denied("PARTNER_REVOKED")


async def test_a_session_is_cut_by_a_revocation_and_by_a_new_page_token(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page)
    of_partner = (await a_session(desk, page.slug, partner.token)).session_token
    of_page = (await a_session(desk, page.slug, await a_page_token(desk, page))).session_token
    await desk.revoke(partner)
    assert await refusal_of(desk.read(page.slug, session_token=of_partner)) == denied("PARTNER_REVOKED")
    assert await refusal_of(a_session(desk, page.slug, partner.token)) == denied("PARTNER_REVOKED")
    await desk.read(page.slug, session_token=of_page)
    await a_page_token(desk, page)
    assert await refusal_of(desk.read(page.slug, session_token=of_page)) == TOKEN_UNKNOWN


async def test_a_changed_session_is_none(desk: StatusPageDesk) -> None:
    page = await desk.a_page()
    session = (await a_session(desk, page.slug, (await desk.a_partner(page)).token)).session_token
    for changed in (session[:-1], session + "A", session[4:], "ocs_", session.replace("_", "__", 1), session + "=" * 4):
        assert await refusal_of(desk.read(page.slug, session_token=changed)) == TOKEN_UNKNOWN


async def test_an_answer_may_be_repeated_until_what_let_it_out_ends_and_for_five_minutes_at_most(
    desk: StatusPageDesk,
) -> None:
    page = await desk.a_page(PUBLIC)
    endless = await desk.a_partner(page)
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=100)
    ending = await desk.a_partner(page, expires_at=soon)
    late = await desk.a_partner(page, expires_at=datetime.now(UTC).replace(microsecond=0) + HOUR)
    rotated = await desk.rotates(late, timedelta(seconds=200))

    async def until(**credential: Any) -> tuple[timedelta, datetime | None]:
        before = datetime.now(UTC)
        answer = await desk.read(page.slug, **credential)
        ends = answer.access_ends_at.ToDatetime(UTC) if answer.HasField("access_ends_at") else None
        return answer.admitted_until.ToDatetime(UTC) - before, ends

    for credential in ({}, {"partner_token": endless.token}):
        lasts, ends = await until(**credential)
        assert FIVE_MINUTES <= lasts <= FIVE_MINUTES + timedelta(seconds=30)
        assert ends is None
    in_grace = rotated.old_token.expires_at.ToDatetime(UTC)
    for token, end in ((ending.token, soon), (late.token, in_grace)):
        answer = await desk.read(page.slug, token)
        assert answer.admitted_until.ToDatetime(UTC) == answer.access_ends_at.ToDatetime(UTC) == end
        session = await a_session(desk, page.slug, token)  # ends with it, and on a whole second
        assert end - timedelta(seconds=1) < session.expires_at.ToDatetime(UTC) <= end
        answer = await desk.read(page.slug, session_token=session.session_token)
        assert answer.admitted_until == answer.access_ends_at == session.expires_at
    session = await a_session(desk, page.slug, endless.token)
    left = session.expires_at.ToDatetime(UTC) - datetime.now(UTC)
    assert 12 * HOUR - timedelta(minutes=1) < left <= 12 * HOUR
    lasts, ends = await until(session_token=session.session_token)
    assert FIVE_MINUTES <= lasts <= FIVE_MINUTES + timedelta(seconds=30)
    assert ends == session.expires_at.ToDatetime(UTC)


async def test_whom_a_session_lets_in_is_counted_and_limited_as_their_token_is(
    desk: StatusPageDesk, running_server: RunningServer
) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page, requests_per_minute=3)
    session = await a_session(desk, page.slug, partner.token)
    for left in (1, 0):
        answer = await desk.read(page.slug, session_token=session.session_token)
        assert (answer.rate_limit.limit, answer.rate_limit.remaining) == (3, left)
    assert (await refusal_of(desk.read(page.slug, partner.token))).code is grpc.StatusCode.RESOURCE_EXHAUSTED
    await running_server.platform.accesses.flush()
    kept = await desk.kept(partner)
    assert (kept.access_count, kept.tokens[0].HasField("last_used_at")) == (2, True)


async def test_who_asks_in_the_background_is_neither_counted_nor_limited_but_must_be_let_in(
    desk: StatusPageDesk, running_server: RunningServer
) -> None:
    page = await desk.a_page()
    partner = await desk.a_partner(page, requests_per_minute=1)
    first = await desk.read(page.slug, partner.token)
    for _ in range(3):
        answer = await desk.read(page.slug, partner.token, background=True, known_content_tag=first.content_tag)
        assert (answer.unchanged, answer.HasField("rate_limit"), list(answer.components)) == (True, False, [])
        assert answer.admitted_until.seconds >= first.admitted_until.seconds
    await running_server.platform.accesses.flush()
    assert (await desk.kept(partner)).access_count == 1
    await desk.revoke(partner)
    refused = await refusal_of(desk.read(page.slug, partner.token, background=True))
    assert refused == denied("PARTNER_REVOKED")


async def test_the_number_of_a_page_grows_with_every_change_and_with_nothing_else(desk: StatusPageDesk) -> None:
    page = await desk.a_page(PUBLIC)
    partner = await desk.a_partner(page)

    async def number() -> int:
        return int((await desk.read(page.slug, partner.token)).page_version)

    async def other_rate() -> None:
        await desk.changes_partner(partner, requests_per_minute=1000)

    numbers = [await number()]
    assert await number() == numbers[0]
    api = await desk.a_component(page, "API")
    numbers.append(await number())
    for change in (
        desk.sets(api.id, name="Interface"),
        desk.an_incident(page, {api.id: status_page_pb2.COMPONENT_STATUS_MAJOR_OUTAGE}),
        other_rate(),
        desk.rotates(partner, HOUR),
        desk.a_maintenance(page, api.id),
    ):
        await change
        numbers.append(await number())
    assert numbers == sorted(set(numbers))
    assert await number() == numbers[-1]


async def test_a_page_is_not_read_with_the_tag_of_another_audience(desk: StatusPageDesk) -> None:
    """A tag is of what somebody sees: with that of others, everything is answered anew."""
    page = await desk.a_page()
    api = await desk.a_component(page, "API")
    await desk.a_component(page, "Web")
    narrow, wide = await desk.a_partner(page, component_ids=[api.id]), await desk.a_partner(page)
    of_narrow = await desk.read(page.slug, narrow.token)
    answer = await desk.read(page.slug, wide.token, known_content_tag=of_narrow.content_tag)
    assert (answer.unchanged, names(answer.components)) == (False, ["API", "Web"])


@pytest.mark.parametrize("grant", [-1, 100_001])
async def test_a_grant_that_cannot_be_is_refused(desk: StatusPageDesk, grant: int) -> None:
    page = await desk.a_page()
    partner: KnownPartner = await desk.a_partner(page)
    refused = await refusal_of(desk.read(page.slug, partner.token, wanted_grant=grant))
    assert refused == Refusal(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", ("wanted_grant",))
