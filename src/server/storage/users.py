"""Users."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.tables import users
from server.domain.team import User


async def find(session: AsyncSession, user_id: UUID) -> User | None:
    row = (await session.execute(select(users).where(users.c.id == user_id))).mappings().one_or_none()
    return _user(row) if row else None


async def find_by_email(session: AsyncSession, email: str) -> User | None:
    row = (await session.execute(select(users).where(users.c.email == email))).mappings().one_or_none()
    return _user(row) if row else None


async def page(session: AsyncSession, *, before: UUID | None, limit: int) -> list[User]:
    """Answers users, newest first, that are older than `before`."""
    query = select(users).order_by(users.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(users.c.id < before)
    return [_user(row) for row in (await session.execute(query)).mappings()]


async def add(session: AsyncSession, user: User) -> None:
    await session.execute(insert(users), [asdict(user) | {"service_account": user.service_account or None}])


async def make_platform_admin(session: AsyncSession, user_id: UUID) -> None:
    await session.execute(update(users).where(users.c.id == user_id).values(is_platform_admin=True))


def _user(row: RowMapping) -> User:
    return User(**{**row, "service_account": row["service_account"] or ""})
