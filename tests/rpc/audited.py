"""What the audit says, read past the server."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from kernel.database import Sessions
from kernel.tables import audit_events


async def audited(sessions: Sessions, **wanted: Any) -> list[dict[str, Any]]:
    """Answers the rows with these values, oldest first."""
    query = select(audit_events).order_by(audit_events.c.id)
    for name, value in wanted.items():
        query = query.where(audit_events.c[name] == value)
    async with sessions() as session:
        return [dict(row) for row in (await session.execute(query)).mappings()]
