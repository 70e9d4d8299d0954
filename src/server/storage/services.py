"""Services that teams run."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.tables import services
from server.domain.team import Service


async def find(session: AsyncSession, service_id: UUID) -> Service | None:
    row = (await session.execute(select(services).where(services.c.id == service_id))).mappings().one_or_none()
    return Service(**row) if row else None


async def page(session: AsyncSession, team_id: UUID, *, before: UUID | None, limit: int) -> list[Service]:
    """Answers services, newest first, that are older than `before`."""
    query = select(services).where(services.c.team_id == team_id).order_by(services.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(services.c.id < before)
    return [Service(**row) for row in (await session.execute(query)).mappings()]


async def add(session: AsyncSession, service: Service) -> None:
    await session.execute(insert(services), [asdict(service)])
