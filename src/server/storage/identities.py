"""Who a user is at an issuer of tokens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.tables import identities, memberships, users
from server.domain.permission import Caller, Role


async def find_caller(session: AsyncSession, issuer: str, subject: str) -> Caller | None:
    """Answers user and roles in one statement, because every call with a signed token begins with it."""
    query = (
        select(
            users.c.id, users.c.is_platform_admin, users.c.service_account, memberships.c.team_id, memberships.c.role
        )
        .join(identities, identities.c.user_id == users.c.id)
        .outerjoin(memberships, memberships.c.user_id == users.c.id)
        .where(identities.c.issuer == issuer, identities.c.subject == subject)
    )
    rows = (await session.execute(query)).mappings().all()
    if not rows:
        return None
    first = rows[0]
    return Caller(
        user_id=first["id"],
        is_platform_admin=first["is_platform_admin"],
        service_account=first["service_account"] or "",
        roles={row["team_id"]: Role[row["role"]] for row in rows if row["team_id"] is not None},
    )


async def add(session: AsyncSession, issuer: str, subject: str, user_id: UUID, at: datetime) -> None:
    await session.execute(insert(identities).values(issuer=issuer, subject=subject, user_id=user_id, created_at=at))
