"""The number of a page that grows with every change of it, and the word to all servers that it did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.status_page_tables import status_pages

CHANNEL = "oncall_status_pages"
"""PostgreSQL's NOTIFY: told with the commit, in the order of commits, and never without it; at most 8,000 bytes."""


async def next_version(session: AsyncSession, page_id: UUID) -> tuple[int, str] | None:
    """Answers the page's next number and its slug, and holds its row until the transaction ends; None: no such page.

    So numbers grow in the order of commits, and whoever read at a number has seen all changes up to it.
    """
    row = (
        await session.execute(
            update(status_pages)
            .where(status_pages.c.id == page_id)
            .values(page_version=status_pages.c.page_version + 1)
            .returning(status_pages.c.page_version, status_pages.c.slug)
        )
    ).one_or_none()
    return None if row is None else (row.page_version, row.slug)


async def notify(session: AsyncSession, word: Mapping[str, Any]) -> None:
    """Tells every server that listens, once and only if the transaction commits."""
    await session.execute(select(func.pg_notify(CHANNEL, json.dumps(word, separators=(",", ":")))))
