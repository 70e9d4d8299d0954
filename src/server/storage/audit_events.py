"""What was changed, by whom: written in the transaction of the change."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import func, insert
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.tables import audit_events


async def add(
    session: AsyncSession,
    *,
    actor_id: UUID | None,
    action: str,
    team_id: UUID | None,
    resource_type: str,
    resource_id: str,
    detail: Mapping[str, object],
) -> None:
    await session.execute(
        insert(audit_events).values(
            time=func.now(),
            actor_id=actor_id,
            action=action,
            team_id=team_id,
            resource_type=resource_type,
            resource_id=resource_id,
            detail=dict(detail),
        )
    )
