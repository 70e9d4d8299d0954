"""Answers a status page as one audience may see it: the gate first, and nothing but what it let through after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import FieldViolation, InvalidArgument, ResourceExhausted
from server.domain import allowlist
from server.domain.partner import Partner
from server.domain.partner_access import Visitor
from server.domain.partner_gate import (
    Admitted,
    Credential,
    KnownToken,
    NoCredential,
    PageCredential,
    PartnerCredential,
    admit,
)
from server.domain.partner_token import PartnerTokens
from server.domain.request_rate import RequestRates
from server.domain.shown_page import ShownPage
from server.domain.status_page import is_slug
from server.operations.compose_page import compose_page, snapshot
from server.operations.environment import Environment
from server.operations.record_access import AccessRecord
from server.storage import partners, status_pages

LONGEST_TOKEN = 200
LONGEST_USER_AGENT = 500


@dataclass(frozen=True, slots=True)
class ShowRequest:
    """What the gateway was asked, and by whom; at most one token, None where none was presented."""

    slug: str
    client_ip: str
    user_agent: str
    partner_token: str | None = field(default=None, repr=False)
    page_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Reception:
    """What admitting partners takes."""

    env: Environment
    tokens: PartnerTokens
    rates: RequestRates
    accesses: AccessRecord


async def show_status_page(reception: Reception, request: ShowRequest) -> tuple[ShownPage, Partner | None]:
    """Answers the page, and the partner whom it is for: None where it is for everybody who may read it."""
    client = _client(request)
    now = reception.env.now()
    async with snapshot(reception.env.sessions) as session:
        credential = await _credential(reception, session, request)
        page = await status_pages.find_by_slug(session, request.slug) if is_slug(request.slug) else None
        admitted = admit(page, credential, client, now)
        if admitted.token is not None:
            _limit(reception, admitted.token.partner)
        answer = await _composed(session, admitted, now)
    if admitted.token is not None:
        reception.accesses.note(_visitor(admitted.token, client, request), now)
    return answer, admitted.token.partner if admitted.token else None


def _client(request: ShowRequest) -> allowlist.Address:
    try:
        return allowlist.address(request.client_ip)
    except ValueError:
        raise InvalidArgument([FieldViolation("client_ip", "must be an IPv4 or IPv6 address")]) from None


async def _credential(reception: Reception, session: AsyncSession, request: ShowRequest) -> Credential:
    if request.partner_token is not None:
        token_hash = reception.tokens.hash(request.partner_token[:LONGEST_TOKEN])
        return PartnerCredential(await partners.find_token(session, token_hash))
    if request.page_token is not None:
        return PageCredential(reception.tokens.hash(request.page_token[:LONGEST_TOKEN]))
    return NoCredential()


def _limit(reception: Reception, partner: Partner) -> None:
    if not partner.content.requests_per_minute:
        return
    wait = reception.rates.wait(partner.id, partner.content.requests_per_minute, reception.env.now())
    if wait is not None:
        raise ResourceExhausted("this partner asks too often", retry_after_seconds=wait)


async def _composed(session: AsyncSession, admitted: Admitted, now: datetime) -> ShownPage:
    scope: frozenset[UUID] = frozenset(admitted.token.partner.content.component_ids if admitted.token else ())
    return await compose_page(session, admitted.page, scope, now)


def _visitor(token: KnownToken, client: allowlist.Address, request: ShowRequest) -> Visitor:
    agent = request.user_agent.replace("\0", "")[:LONGEST_USER_AGENT]  # PostgreSQL keeps no NUL
    return Visitor(token.partner.id, token.id, token.prefix, str(client), agent)
