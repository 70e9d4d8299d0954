"""The gate: who may see a status page, decided in one place for every representation of it.

Nothing here tells somebody who may not read a page whether it exists. So a token nobody knows is refused before the
page is looked at; without a credential a private page and no page are the same; and so are, for a partner, another
page and no page.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from kernel.errors import NotFound, PermissionDenied, Unauthenticated
from server.domain.allowlist import Address, allows
from server.domain.page_session import PageSession, SessionKind
from server.domain.partner import Partner, expired
from server.domain.status_page import StatusPage, Visibility


@dataclass(frozen=True, slots=True)
class KnownToken:
    """A partner's token that is kept, good or not, and whose it is."""

    id: UUID
    prefix: str
    expires_at: datetime | None
    revoked_at: datetime | None
    partner: Partner


@dataclass(frozen=True, slots=True)
class NoCredential:
    """Nothing was presented."""


@dataclass(frozen=True, slots=True)
class PartnerCredential:
    """A partner's token was presented; `known` is what is kept under its hash, if anything is."""

    known: KnownToken | None


@dataclass(frozen=True, slots=True)
class PageCredential:
    """A page's own token was presented."""

    token_hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionCredential:
    """A session was presented that the platform made; `known` is the partner's token of which, if it was one."""

    session: PageSession
    known: KnownToken | None


Credential = NoCredential | PartnerCredential | PageCredential | SessionCredential


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who is let in to which page; no token means everybody who may read it without being a partner."""

    page: StatusPage
    token: KnownToken | None = None
    session: PageSession | None = None

    @property
    def ends_at(self) -> datetime | None:
        """When it ends by itself, whatever comes first: the partner's access, the token, the session."""
        token = self.token
        ends = (
            token and token.partner.content.expires_at,
            token and token.expires_at,
            self.session and self.session.expires_at,
        )
        return min((end for end in ends if end), default=None)


def admit(page: StatusPage | None, credential: Credential, client: Address, now: datetime) -> Admitted:
    """Lets in or raises; `page` is the one of that slug, if there is one."""
    match credential:
        case PartnerCredential(known):
            return _admit_partner(page, known, client, now)
        case PageCredential(token_hash):
            return _admit_with_page_token(page, token_hash)
        case SessionCredential(session, known):
            return _admit_session(page, session, known, client, now)
        case NoCredential():
            if page is None or page.content.visibility is not Visibility.PUBLIC:
                raise Unauthenticated("this page needs a token", reason="TOKEN_MISSING")
            return Admitted(page)


def _admit_partner(page: StatusPage | None, token: KnownToken | None, client: Address, now: datetime) -> Admitted:
    if token is None:
        raise _unknown_token()
    partner = token.partner
    if page is None or page.id != partner.status_page_id:
        raise NotFound("there is no such status page")
    if partner.revoked_at is not None or token.revoked_at is not None:
        raise PermissionDenied("this access was revoked", reason="PARTNER_REVOKED", team_id=page.team_id)
    if expired(partner.content.expires_at, now) or expired(token.expires_at, now):
        raise PermissionDenied("this access has expired", reason="PARTNER_EXPIRED", team_id=page.team_id)
    if not allows(partner.content.ip_allowlist, client):
        raise PermissionDenied("this access is not open to your address", reason="IP_NOT_ALLOWED", team_id=page.team_id)
    return Admitted(page, token)


def _admit_with_page_token(page: StatusPage | None, token_hash: bytes) -> Admitted:
    # Compared also where there is nothing to compare with, so that both take the same time.
    kept = (page.token_hash if page is not None else None) or bytes(len(token_hash))
    same = hmac.compare_digest(kept, token_hash)
    if page is None or page.token_hash is None or not same:
        raise _unknown_token()
    return Admitted(page)


def _admit_session(
    page: StatusPage | None, session: PageSession, known: KnownToken | None, client: Address, now: datetime
) -> Admitted:
    if session.expires_at <= now:
        raise _unknown_token()
    if session.kind is SessionKind.PARTNER:
        return replace(_admit_partner(page, known, client, now), session=session)
    if page is None or page.id != session.id or not session.is_of(page.token_hash):
        raise _unknown_token()
    return Admitted(page, session=session)


def _unknown_token() -> Unauthenticated:
    return Unauthenticated("this token is not known", reason="TOKEN_UNKNOWN")
