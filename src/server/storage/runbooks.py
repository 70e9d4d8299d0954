"""Runbooks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Select, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.tables import runbooks
from server.domain.runbook import Runbook, RunbookStatus
from server.storage.newest import Listing

_LISTING = Listing(runbooks, list(runbooks.c), (("service_id",), ("team_id", "status"), ("team_id",), ("status",), ()))


@dataclass(frozen=True, slots=True)
class RunbookFilter:
    """Which runbooks; None everywhere means all of them."""

    team_ids: Collection[UUID] | None = None
    service_id: UUID | None = None
    status: RunbookStatus | None = None
    query: str = ""


async def find(session: AsyncSession, runbook_id: UUID, *, lock: bool = False) -> Runbook | None:
    """Answers one runbook; with `lock`, nobody else changes it before this transaction ends."""
    query = select(runbooks).where(runbooks.c.id == runbook_id)
    row = (await session.execute(query.with_for_update() if lock else query)).mappings().one_or_none()
    return runbook_of(row) if row else None


async def page(session: AsyncSession, wanted: RunbookFilter, *, before: UUID | None, limit: int) -> list[Runbook]:
    """Answers runbooks, newest first, that are older than `before`."""
    rows = await session.execute(page_query(wanted, before=before, limit=limit))
    return [runbook_of(row) for row in rows.mappings()]


def page_query(wanted: RunbookFilter, *, before: UUID | None, limit: int) -> Select[Any]:
    """Selects one page. Text is looked for in one runbook after the other: an index for it would need an extension."""

    def contains(columns: Any) -> ColumnElement[bool]:
        return or_(*(columns[name].icontains(wanted.query, autoescape=True) for name in ("name", "description")))

    return _LISTING.page(
        {"service_id": wanted.service_id, "status": wanted.status},
        team_ids=wanted.team_ids,
        before=before,
        limit=limit,
        search=contains if wanted.query else None,
    )


async def add(session: AsyncSession, runbook: Runbook) -> None:
    await session.execute(insert(runbooks), [asdict(runbook)])


async def save(session: AsyncSession, runbook: Runbook) -> None:
    """Writes what can change; the caller holds the lock of the row."""
    await session.execute(update(runbooks).where(runbooks.c.id == runbook.id).values(_changing(runbook)))


def _changing(runbook: Runbook) -> dict[str, Any]:
    values = asdict(runbook)
    for fixed in ("id", "team_id", "created_by", "created_at"):
        del values[fixed]
    return values


def runbook_of(row: RowMapping | Mapping[str, Any]) -> Runbook:
    """Answers the runbook of a row that has its columns by name."""
    return Runbook(**{**row, "status": RunbookStatus(row["status"])})
