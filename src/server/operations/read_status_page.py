"""Reads status pages and partners for the team that keeps them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.domain.partner import Partner
from server.domain.permission import Call, not_found
from server.domain.status_page import StatusPage
from server.domain.violation import require_uuid
from server.operations.environment import Environment
from server.storage import partners, status_pages


async def load_status_page(session: AsyncSession, call: Call, status_page_id: UUID) -> StatusPage:
    """Answers a page that the caller may use as this RPC does."""
    page = await status_pages.find(session, status_page_id)
    if page is None:
        raise not_found("status page")
    call.require(page.team_id, "status page")
    return page


async def load_partner(session: AsyncSession, call: Call, partner_id: UUID, *, lock: bool = False) -> Partner:
    """Answers a partner that the caller may use as this RPC does; with `lock`, until the transaction ends."""
    partner = await partners.find(session, partner_id, lock=lock)
    # Looked for also where there is no partner: how long a refusal takes must not tell whether there is one.
    page = await status_pages.find(session, partner.status_page_id if partner else partner_id)
    if partner is None or page is None:
        raise not_found("partner")
    call.require(page.team_id, "partner")
    return partner


async def get_status_page(env: Environment, call: Call, status_page_id: str) -> StatusPage:
    wanted = require_uuid("status_page_id", status_page_id)
    async with env.sessions() as session:
        return await load_status_page(session, call, wanted)


async def get_partner(env: Environment, call: Call, partner_id: str) -> Partner:
    wanted = require_uuid("partner_id", partner_id)
    async with env.sessions() as session:
        return await load_partner(session, call, wanted)
