"""Status pages."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Select, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.status_page_tables import status_pages
from server.domain.status_page import StatusPage, StatusPageContent, Visibility
from server.storage.newest import Listing

_LISTING = Listing(status_pages, list(status_pages.c), (("team_id",), ()))


async def find(session: AsyncSession, status_page_id: UUID) -> StatusPage | None:
    return await _find(session, status_pages.c.id == status_page_id)


async def lock(session: AsyncSession, status_page_id: UUID) -> StatusPage | None:
    """Answers a page that nobody else changes, nor anything on it, before this transaction ends.

    All that changes what a page shows takes this lock first and others after it. Rows that name the page can still be
    added; a deletion waits for those too.
    """
    query = select(status_pages).where(status_pages.c.id == status_page_id).with_for_update(key_share=True)
    row = (await session.execute(query)).mappings().one_or_none()
    return _page(row) if row else None


async def lock_to_delete(session: AsyncSession, status_page_id: UUID) -> StatusPage | None:
    """As `lock`, and no row that names the page is added meanwhile."""
    query = select(status_pages).where(status_pages.c.id == status_page_id).with_for_update()
    row = (await session.execute(query)).mappings().one_or_none()
    return _page(row) if row else None


async def lock_if_free(session: AsyncSession, status_page_id: UUID) -> StatusPage | None:
    """As `lock`, but never waits: None also where somebody else has it."""
    query = (
        select(status_pages)
        .where(status_pages.c.id == status_page_id)
        .with_for_update(key_share=True, skip_locked=True)
    )
    row = (await session.execute(query)).mappings().one_or_none()
    return _page(row) if row else None


async def version_of(session: AsyncSession, status_page_id: UUID) -> int:
    """Answers the number of the page as this transaction sees it; 0 for a page that is no more."""
    query = select(status_pages.c.page_version).where(status_pages.c.id == status_page_id)
    return await session.scalar(query) or 0


async def page(
    session: AsyncSession, *, team_ids: Collection[UUID] | None, before: UUID | None, limit: int
) -> list[StatusPage]:
    """Answers pages older than `before`, newest first, of these teams; None: of all."""
    rows = await session.execute(page_query(team_ids=team_ids, before=before, limit=limit))
    return [_page(row) for row in rows.mappings()]


def page_query(*, team_ids: Collection[UUID] | None, before: UUID | None, limit: int) -> Select[Any]:
    return _LISTING.page({}, team_ids=team_ids, before=before, limit=limit)


async def find_by_slug(session: AsyncSession, slug: str) -> StatusPage | None:
    return await _find(session, status_pages.c.slug == slug)


async def add(session: AsyncSession, page: StatusPage) -> None:
    """Adds a page; the constraint `uq_status_pages_slug` refuses a slug that is taken."""
    fixed = {"id": page.id, "team_id": page.team_id, "created_by": page.created_by, "created_at": page.created_at}
    await session.execute(insert(status_pages).values(**fixed, **_changing(page)))


async def save(session: AsyncSession, page: StatusPage) -> None:
    """Writes what can change; the caller holds its lock. As `add` about slugs."""
    await session.execute(update(status_pages).where(status_pages.c.id == page.id).values(**_changing(page)))


async def remove(session: AsyncSession, status_page_id: UUID) -> None:
    """Deletes a page with all that is its own; incidents stay, and tell of no page then."""
    await session.execute(delete(status_pages).where(status_pages.c.id == status_page_id))


def _changing(page: StatusPage) -> dict[str, object]:
    content = page.content
    return {
        "slug": content.slug,
        "name": content.name,
        "visibility": content.visibility.value,
        "time_zone": content.time_zone,
        "logo_url": content.logo_url,
        "accent_color": content.accent_color,
        "support_url": content.support_url,
        "token_hash": page.token_hash,
        "revision": page.revision,
        "updated_at": page.updated_at,
    }


async def _find(session: AsyncSession, condition: ColumnElement[bool]) -> StatusPage | None:
    row = (await session.execute(select(status_pages).where(condition))).mappings().one_or_none()
    return _page(row) if row else None


def _page(row: RowMapping) -> StatusPage:
    return StatusPage(
        id=row["id"],
        team_id=row["team_id"],
        content=StatusPageContent(
            slug=row["slug"],
            name=row["name"],
            visibility=Visibility(row["visibility"]),
            time_zone=row["time_zone"],
            logo_url=row["logo_url"],
            accent_color=row["accent_color"],
            support_url=row["support_url"],
        ),
        token_hash=row["token_hash"],
        revision=row["revision"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
