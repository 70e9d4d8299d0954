"""Status pages."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.status_page_tables import status_pages
from server.domain.status_page import StatusPage, StatusPageContent, Visibility


async def find(session: AsyncSession, status_page_id: UUID) -> StatusPage | None:
    return await _find(session, status_pages.c.id == status_page_id)


async def find_by_slug(session: AsyncSession, slug: str) -> StatusPage | None:
    return await _find(session, status_pages.c.slug == slug)


async def add(session: AsyncSession, page: StatusPage) -> None:
    """Adds a page; the constraint `uq_status_pages_slug` refuses a slug that is taken."""
    content = page.content
    await session.execute(
        insert(status_pages).values(
            id=page.id,
            team_id=page.team_id,
            slug=content.slug,
            name=content.name,
            visibility=content.visibility.value,
            time_zone=content.time_zone,
            token_hash=page.token_hash,
            revision=page.revision,
            created_by=page.created_by,
            created_at=page.created_at,
            updated_at=page.updated_at,
        )
    )


async def _find(session: AsyncSession, condition: ColumnElement[bool]) -> StatusPage | None:
    row = (await session.execute(select(status_pages).where(condition))).mappings().one_or_none()
    return _page(row) if row else None


def _page(row: RowMapping) -> StatusPage:
    return StatusPage(
        id=row["id"],
        team_id=row["team_id"],
        content=StatusPageContent(row["slug"], row["name"], Visibility(row["visibility"]), row["time_zone"]),
        token_hash=row["token_hash"],
        revision=row["revision"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
