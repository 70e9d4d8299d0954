"""Answers a status page as one audience may see it: the gate first, and nothing but what it let through after it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from hashlib import sha256
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import Allowance, FieldViolation, InvalidArgument, Unauthenticated
from server.domain import allowlist, page_token
from server.domain.page_session import LASTS, LONGEST_SESSION, PageSession, PageSessions, SessionKind
from server.domain.partner_access import Visitor
from server.domain.partner_gate import (
    Admitted,
    Credential,
    KnownToken,
    NoCredential,
    PageCredential,
    PartnerCredential,
    SessionCredential,
    admit,
)
from server.domain.partner_token import PARTNER_MARK, PartnerTokens
from server.domain.shown_page import ShownPage
from server.domain.status_page import is_slug
from server.operations.change import change
from server.operations.compose_page import compose_page, snapshot
from server.operations.environment import Environment
from server.operations.limit_requests import RequestRates
from server.operations.record_access import AccessRecord
from server.operations.tell_page_change import Confirmations, tell_page_change
from server.storage import ended_sessions, partners, status_pages

LONGEST_TOKEN = 200
LONGEST_USER_AGENT = 500
GREATEST_GRANT = 100_000
LONGEST_ADMISSION = timedelta(minutes=5)


class Presented(Enum):
    """As what the client presented its credential."""

    NOTHING = "nothing"
    PARTNER_TOKEN = "partner_token"  # noqa: S105 - the name of a field
    PAGE_TOKEN = "page_token"  # noqa: S105 - likewise
    SESSION = "session_token"
    ANY_TOKEN = "any_token"  # noqa: S105 - likewise


@dataclass(frozen=True, slots=True)
class ShowRequest:
    """What the gateway was asked, and by whom."""

    slug: str
    client_ip: str
    user_agent: str
    presented: Presented = Presented.NOTHING
    secret: str = field(default="", repr=False)
    background: bool = False
    wanted_grant: int = 0
    counted_by_gateway: bool = False


@dataclass(frozen=True, slots=True)
class Reception:
    """What admitting partners takes."""

    env: Environment
    tokens: PartnerTokens
    page_sessions: PageSessions
    rates: RequestRates
    accesses: AccessRecord


@dataclass(frozen=True, slots=True)
class Answer:
    """A page, for whom it is and how long that holds."""

    shown: ShownPage
    admitted: Admitted
    admitted_until: datetime
    allowance: Allowance | None


async def show_status_page(reception: Reception, request: ShowRequest) -> Answer:
    """Answers the page as it was at one moment, and counts the access of a partner unless the gateway does."""
    if not 0 <= request.wanted_grant <= GREATEST_GRANT:
        raise InvalidArgument([FieldViolation("wanted_grant", f"must be 0 to {GREATEST_GRANT:,}")])
    now = reception.env.now()
    async with admitting(reception, request, now) as (session, admitted, client):
        allowance = None if request.background else await limit(reception, admitted, request.wanted_grant)
        scope = admitted.token.partner.content.component_ids if admitted.token else ()
        shown = await compose_page(session, admitted.page, frozenset(scope), now)
    if admitted.token is not None and not (request.background or request.counted_by_gateway):
        await reception.accesses.note(_visitor(admitted.token, client, request.user_agent), now)
    until = min(now + LONGEST_ADMISSION, admitted.ends_at or datetime.max.replace(tzinfo=now.tzinfo))
    return Answer(shown, admitted, until, allowance)


async def create_page_session(reception: Reception, request: ShowRequest) -> tuple[str, datetime]:
    """Trades a partner's token or a page's for a session; answers it and when it ends."""
    now = reception.env.now()
    async with admitting(reception, request, now) as (_, admitted, _):
        await limit(reception, admitted, 0)
    ends_at = min(now + LASTS, admitted.ends_at or now + LASTS)
    if admitted.token is not None:
        session = reception.page_sessions.of_partner(admitted.token.id, now, ends_at)
    else:
        session = reception.page_sessions.of_page(admitted.page.id, admitted.page.token_hash or b"", ends_at)
    return reception.page_sessions.write(session), session.expires_at


async def end_page_session(reception: Reception, confirmations: Confirmations, secret: str) -> None:
    """Ends a session for good, on every gateway once this returns; one not known, or ended already, changes nothing.

    It is told once for each session, and of each token there is but one a second: so nobody who may sign in keeps all
    gateways busy.
    """
    token = secret[: LONGEST_SESSION + 1]
    session = reception.page_sessions.read(token)
    if session is None or session.expires_at <= reception.env.now():
        return
    told: UUID | None = None
    async with change(reception.env.sessions, None) as tx:
        is_new = await ended_sessions.end(tx.session, reception.page_sessions.hash(token), session.expires_at)
        page_id = await _page_of(tx.session, session)
        if is_new and page_id is not None:
            told = await tell_page_change(
                tx, page_id, ended_session_hashes=[sha256(token.encode()).hexdigest()], confirm=True
            )
    if told is not None:
        await confirmations.wait(told)


async def _page_of(session: AsyncSession, page_session: PageSession) -> UUID | None:
    """Answers the page that a session is for; None where it is gone."""
    if page_session.kind is SessionKind.PAGE:
        return page_session.id if await status_pages.find(session, page_session.id) else None
    known = await partners.find_token_by_id(session, page_session.id)
    return known.partner.status_page_id if known else None


@asynccontextmanager
async def admitting(
    reception: Reception, request: ShowRequest, now: datetime
) -> AsyncIterator[tuple[AsyncSession, Admitted, allowlist.Address]]:
    """Lets in or raises; all that is read within is of one moment.

    Credentials that nobody knows are counted by address, and beyond so many a minute refused with when to come back;
    good ones from the same address are not.
    """
    client = _client(request)
    async with snapshot(reception.env.sessions) as session:
        credential = await _credential(reception, session, request)
        page = await status_pages.find_by_slug(session, request.slug) if is_slug(request.slug) else None
        try:
            admitted = admit(page, credential, client, now)
        except Unauthenticated as refusal:
            if refusal.reason == "TOKEN_UNKNOWN" and not isinstance(credential, SessionCredential):
                await reception.rates.count_failure(client)
            raise
        yield session, admitted, client


async def limit(reception: Reception, admitted: Admitted, wanted_grant: int) -> Allowance | None:
    """Takes a partner's request, and what is granted besides, from their rate; None where they have none."""
    if admitted.token is None:
        return None
    partner = admitted.token.partner
    rate = partner.content.requests_per_minute
    return await reception.rates.take(partner.id, rate, wanted_grant) if rate else None


def _client(request: ShowRequest) -> allowlist.Address:
    try:
        return allowlist.address(request.client_ip)
    except ValueError:
        raise InvalidArgument([FieldViolation("client_ip", "must be an IPv4 or IPv6 address")]) from None


async def _credential(reception: Reception, session: AsyncSession, request: ShowRequest) -> Credential:
    presented, secret = request.presented, request.secret
    if presented is Presented.NOTHING:
        return NoCredential()
    if presented is Presented.SESSION:
        return await _session(reception, session, secret[: LONGEST_SESSION + 1])
    token_hash = reception.tokens.hash(secret[:LONGEST_TOKEN])
    # Only the mark tells of which kind it may be, and the client knows that: what is unknown takes the same way.
    if presented is Presented.PARTNER_TOKEN or (presented is Presented.ANY_TOKEN and secret.startswith(PARTNER_MARK)):
        return PartnerCredential(await partners.find_token(session, token_hash))
    return PageCredential(token_hash) if secret.startswith(page_token.MARK) else PartnerCredential(None)


async def _session(reception: Reception, session: AsyncSession, secret: str) -> Credential:
    read = reception.page_sessions.read(secret)
    # Looked for also where there is none, so that both take the same way.
    known = await partners.find_token_by_id(session, read.id if read else UUID(int=0))
    ended = await ended_sessions.has_ended(session, reception.page_sessions.hash(secret))
    if read is None or ended:
        return PartnerCredential(None)
    return SessionCredential(read, known if read.kind is SessionKind.PARTNER else None)


def _visitor(token: KnownToken, client: allowlist.Address, user_agent: str) -> Visitor:
    return Visitor(token.partner.id, token.id, token.prefix, str(client), storable_agent(user_agent))


def storable_agent(user_agent: str) -> str:
    return user_agent.replace("\0", "")[:LONGEST_USER_AGENT]  # PostgreSQL keeps no NUL
