"""Partners, their tokens, and which partner a token is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.status_page_tables import partner_tokens, partners
from server.domain.partner import Partner, PartnerContent, PartnerToken
from server.domain.partner_gate import KnownToken
from server.domain.partner_token import NewPartnerToken

_any_token = partner_tokens.alias()
_newest_prefix = (
    select(_any_token.c.prefix)
    .where(_any_token.c.partner_id == partners.c.id)
    .order_by(_any_token.c.id.desc())
    .limit(1)
    .scalar_subquery()
    .label("token_prefix")
)


async def find(session: AsyncSession, partner_id: UUID, *, lock: bool = False) -> Partner | None:
    """Answers one partner; with `lock`, nobody else changes them before this transaction ends."""
    query = select(partners, _newest_prefix).where(partners.c.id == partner_id)
    query = query.with_for_update(of=partners) if lock else query
    row = (await session.execute(query)).mappings().one_or_none()
    return _partner(row) if row else None


async def lock_all(session: AsyncSession, status_page_id: UUID) -> None:
    """Keeps everybody else from changing partners of the page before this transaction ends."""
    query = select(partners.c.id).where(partners.c.status_page_id == status_page_id).order_by(partners.c.id)
    await session.execute(query.with_for_update())


async def find_token(session: AsyncSession, token_hash: bytes) -> KnownToken | None:
    """Answers the token of that hash and whose it is, good or not; found by the hash, so nothing is compared here."""
    return await _known(session, partner_tokens.c.token_hash == token_hash)


async def find_token_by_id(session: AsyncSession, token_id: UUID) -> KnownToken | None:
    """As `find_token`, of a token that a session names."""
    return await _known(session, partner_tokens.c.id == token_id)


async def _known(session: AsyncSession, condition: ColumnElement[bool]) -> KnownToken | None:
    query = (
        select(
            partners,
            _newest_prefix,
            partner_tokens.c.id.label("its_id"),
            partner_tokens.c.prefix.label("its_prefix"),
            partner_tokens.c.expires_at.label("its_expires_at"),
            partner_tokens.c.revoked_at.label("its_revoked_at"),
        )
        .join_from(partner_tokens, partners)
        .where(condition)
    )
    row = (await session.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    return KnownToken(row["its_id"], row["its_prefix"], row["its_expires_at"], row["its_revoked_at"], _partner(row))


async def page(session: AsyncSession, status_page_id: UUID, *, before: UUID | None, limit: int) -> list[Partner]:
    """Answers a page's partners, newest first, that are older than `before`."""
    query = select(partners, _newest_prefix).where(partners.c.status_page_id == status_page_id)
    if before is not None:
        query = query.where(partners.c.id < before)
    rows = await session.execute(query.order_by(partners.c.id.desc()).limit(limit))
    return [_partner(row) for row in rows.mappings()]


async def with_tokens(session: AsyncSession, found: Sequence[Partner], now: datetime) -> list[Partner]:
    """Answers the partners with their tokens that still work, newest first."""
    kept = await _not_ended(session, [partner.id for partner in found if partner.is_active(now)], now)
    return [replace(partner, tokens=tuple(kept.get(partner.id, ()))) for partner in found]


async def tokens_of(session: AsyncSession, partner_id: UUID, now: datetime) -> list[PartnerToken]:
    """Answers the tokens that nothing has ended, newest first; they would work again if the partner's access did."""
    return (await _not_ended(session, [partner_id], now)).get(partner_id, [])


async def _not_ended(
    session: AsyncSession, partner_ids: Sequence[UUID], now: datetime
) -> dict[UUID, list[PartnerToken]]:
    query = (
        select(partner_tokens)
        .where(
            partner_tokens.c.partner_id.in_(partner_ids),
            partner_tokens.c.revoked_at.is_(None),
            partner_tokens.c.expires_at.is_(None) | (partner_tokens.c.expires_at > now),
        )
        .order_by(partner_tokens.c.id.desc())
    )
    tokens: dict[UUID, list[PartnerToken]] = {}
    for row in (await session.execute(query)).mappings():
        tokens.setdefault(row["partner_id"], []).append(
            PartnerToken(row["id"], row["prefix"], row["created_at"], row["expires_at"], row["last_used_at"])
        )
    return tokens


async def save(session: AsyncSession, partner: Partner) -> None:
    """Writes what an update or a rotation changes; the caller holds the lock of the row."""
    await session.execute(update(partners).where(partners.c.id == partner.id).values(_moving(partner)))


async def end_token(session: AsyncSession, token_id: UUID, *, at: datetime, now: datetime) -> None:
    """Ends a token at a time; where that is now, for good."""
    ended = {"expires_at": at} if at > now else {"revoked_at": now}
    await session.execute(update(partner_tokens).where(partner_tokens.c.id == token_id).values(ended))


async def add(session: AsyncSession, partner: Partner) -> None:
    """Adds a partner; the constraint `uq_partners_status_page_id_name` refuses a name that is taken on the page."""
    await session.execute(
        insert(partners).values(
            id=partner.id,
            status_page_id=partner.status_page_id,
            created_by=partner.created_by,
            created_at=partner.created_at,
            **_moving(partner),
        )
    )


async def add_token(
    session: AsyncSession, token_id: UUID, partner_id: UUID, token: NewPartnerToken, at: datetime
) -> None:
    await session.execute(
        insert(partner_tokens).values(
            id=token_id, partner_id=partner_id, prefix=token.prefix, token_hash=token.token_hash, created_at=at
        )
    )


async def save_revocation(session: AsyncSession, partner: Partner, revoked_by: UUID) -> None:
    """Writes what a revocation changes; the caller holds the lock of the row."""
    await session.execute(
        update(partners)
        .where(partners.c.id == partner.id)
        .values(
            revoked_at=partner.revoked_at,
            revoked_by=revoked_by,
            revision=partner.revision,
            updated_at=partner.updated_at,
        )
    )


def _partner(row: RowMapping) -> Partner:
    return Partner(
        id=row["id"],
        status_page_id=row["status_page_id"],
        content=PartnerContent(
            name=row["name"],
            contact_email=row["contact_email"],
            ip_allowlist=tuple(row["ip_allowlist"]),
            component_ids=tuple(row["component_ids"]),
            requests_per_minute=row["requests_per_minute"],
            expires_at=row["expires_at"],
        ),
        token_prefix=row["token_prefix"],
        revoked_at=row["revoked_at"],
        last_access_at=row["last_access_at"],
        access_count=row["access_count"],
        revision=row["revision"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _moving(partner: Partner) -> dict[str, object]:
    """Answers what an update may change."""
    content = partner.content
    return {
        "name": content.name,
        "contact_email": content.contact_email,
        "ip_allowlist": list(content.ip_allowlist),
        "component_ids": list(content.component_ids),
        "requests_per_minute": content.requests_per_minute,
        "expires_at": content.expires_at,
        "revision": partner.revision,
        "updated_at": partner.updated_at,
    }
