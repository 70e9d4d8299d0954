"""Runbooks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.tables import runbooks
from server.domain.runbook import Runbook, RunbookStatus


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
    return _runbook(row) if row else None


async def page(session: AsyncSession, wanted: RunbookFilter, *, before: UUID | None, limit: int) -> list[Runbook]:
    """Answers runbooks, newest first, that are older than `before`."""
    query = select(runbooks).order_by(runbooks.c.id.desc()).limit(limit)
    if wanted.team_ids is not None:
        query = query.where(runbooks.c.team_id.in_(wanted.team_ids))
    if wanted.service_id is not None:
        query = query.where(runbooks.c.service_id == wanted.service_id)
    if wanted.status is not None:
        query = query.where(runbooks.c.status == wanted.status)
    if wanted.query:
        columns = (runbooks.c.name, runbooks.c.description)
        query = query.where(or_(*(column.icontains(wanted.query, autoescape=True) for column in columns)))
    if before is not None:
        query = query.where(runbooks.c.id < before)
    return [_runbook(row) for row in (await session.execute(query)).mappings()]


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


def _runbook(row: RowMapping) -> Runbook:
    return Runbook(**{**row, "status": RunbookStatus(row["status"])})
