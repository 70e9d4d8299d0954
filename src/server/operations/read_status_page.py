"""Reads status pages and partners for the team that keeps them."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.domain.page import Cursor, Page, PageRequest
from server.domain.partner import Partner
from server.domain.partner_access import DayOfAccess, Session
from server.domain.permission import Call, not_found
from server.domain.status_page import StatusPage
from server.domain.violation import Violations, require_uuid
from server.operations.environment import Environment
from server.storage import partner_sessions, partners, status_pages


async def load_status_page(session: AsyncSession, call: Call, status_page_id: UUID) -> StatusPage:
    """Answers a page that the caller may use as this RPC does."""
    page = await status_pages.find(session, status_page_id)
    if page is None:
        raise not_found("status page")
    call.require(page.team_id, "status page")
    return page


async def load_partner(session: AsyncSession, call: Call, partner_id: UUID, *, lock: bool = False) -> Partner:
    """Answers a partner that the caller may use as this RPC does; with `lock`, nobody else changes them meanwhile.

    Who may not is refused before: a lock that is waited for tells that there is something.
    """
    partner = await partners.find(session, partner_id)
    # Looked for also where there is no partner: how long a refusal takes must not tell whether there is one.
    page = await status_pages.find(session, partner.status_page_id if partner else partner_id)
    if partner is None or page is None:
        raise not_found("partner")
    call.require(page.team_id, "partner")
    if lock:
        partner = await partners.find(session, partner_id, lock=True)
        if partner is None:
            raise not_found("partner")
    return partner


async def get_status_page(env: Environment, call: Call, status_page_id: str) -> StatusPage:
    wanted = require_uuid("status_page_id", status_page_id)
    async with env.sessions() as session:
        return await load_status_page(session, call, wanted)


async def list_status_pages(env: Environment, call: Call, *, team_id: str, request: PageRequest) -> Page[StatusPage]:
    """Lists the pages that the caller may see, newest first; `team_id` is empty for any."""
    violations = Violations()
    team = violations.optional_uuid("team_id", team_id)
    violations.raise_if_any()
    cursor = env.pager.open(call.method, {"team_id": team_id}, request)
    if team:
        call.require(team, "team")
    before = UUID(cursor.position) if cursor.position else None
    team_ids = [team] if team else call.visible_teams()
    async with env.sessions() as session:
        found = await status_pages.page(session, team_ids=team_ids, before=before, limit=cursor.size + 1)
    return cursor.page(found, lambda page: page.id)


async def get_partner(env: Environment, call: Call, partner_id: str) -> Partner:
    wanted = require_uuid("partner_id", partner_id)
    async with env.sessions() as session:
        partner = await load_partner(session, call, wanted)
        return (await partners.with_tokens(session, [partner], env.now()))[0]


async def list_partners(env: Environment, call: Call, status_page_id: str, request: PageRequest) -> Page[Partner]:
    wanted = require_uuid("status_page_id", status_page_id)
    cursor = env.pager.open(call.method, {"status_page_id": str(wanted)}, request)
    before = UUID(cursor.position) if cursor.position else None
    async with env.sessions() as session:
        page = await load_status_page(session, call, wanted)
        found = await partners.page(session, page.id, before=before, limit=cursor.size + 1)
        found = await partners.with_tokens(session, found, env.now())
    return cursor.page(found, lambda partner: partner.id)


async def list_sessions(env: Environment, call: Call, partner_id: str, request: PageRequest) -> Page[Session]:
    wanted = require_uuid("partner_id", partner_id)
    cursor = env.pager.open(call.method, {"partner_id": str(wanted)}, request)
    before = UUID(cursor.position) if cursor.position else None
    async with env.sessions() as session:
        partner = await load_partner(session, call, wanted)
        found = await partner_sessions.page(session, partner.id, before=before, limit=cursor.size + 1)
    return cursor.page(found, lambda visit: visit.id)


async def list_accesses(env: Environment, call: Call, partner_id: str, request: PageRequest) -> Page[DayOfAccess]:
    wanted = require_uuid("partner_id", partner_id)
    cursor = env.pager.open(call.method, {"partner_id": str(wanted)}, request)
    async with env.sessions() as session:
        partner = await load_partner(session, call, wanted)
        return await page_of_accesses(session, partner.id, cursor)


async def page_of_accesses(session: AsyncSession, partner_id: UUID, cursor: Cursor) -> Page[DayOfAccess]:
    """Answers where a list of accesses goes on, for whoever was let in to read it."""
    after = None
    if cursor.position:
        day, prefix, address = cursor.position.split("|")
        after = (date.fromisoformat(day), prefix, address)
    found = await partner_sessions.days(session, partner_id, after=after, limit=cursor.size + 1)
    return cursor.page(found, lambda day: f"{day.date}|{day.token_prefix}|{day.address}")
