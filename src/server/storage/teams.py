"""Teams and who belongs to them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, insert, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.tables import memberships, teams, users
from server.domain.permission import Role
from server.domain.team import Membership, Team


async def find(session: AsyncSession, team_id: UUID) -> Team | None:
    row = (await session.execute(select(teams).where(teams.c.id == team_id))).mappings().one_or_none()
    return Team(**row) if row else None


async def page(
    session: AsyncSession, team_ids: Collection[UUID] | None, *, before: UUID | None, limit: int
) -> list[Team]:
    """Answers those of `team_ids` (None: all) that are older than `before`, newest first."""
    query = select(teams).order_by(teams.c.id.desc()).limit(limit)
    if team_ids is not None:
        query = query.where(teams.c.id.in_(team_ids))
    if before is not None:
        query = query.where(teams.c.id < before)
    return [Team(**row) for row in (await session.execute(query)).mappings()]


async def add(session: AsyncSession, team: Team) -> None:
    await session.execute(insert(teams), [asdict(team)])


async def set_member(session: AsyncSession, team_id: UUID, user_id: UUID, role: Role) -> None:
    """Gives a role, whatever role there was."""
    added = postgresql.insert(memberships).values(team_id=team_id, user_id=user_id, role=role.name)
    key = [memberships.c.team_id, memberships.c.user_id]
    await session.execute(added.on_conflict_do_update(index_elements=key, set_={"role": role.name}))


async def remove_member(session: AsyncSession, team_id: UUID, user_id: UUID) -> bool:
    """Whether there was anybody to remove."""
    removed = await session.execute(
        delete(memberships)
        .where(memberships.c.team_id == team_id, memberships.c.user_id == user_id)
        .returning(memberships.c.user_id)
    )
    return removed.one_or_none() is not None


async def members(session: AsyncSession, team_id: UUID, *, after: UUID | None, limit: int) -> list[Membership]:
    """Answers members by user id, those after `after`."""
    query = _memberships().where(memberships.c.team_id == team_id).order_by(memberships.c.user_id).limit(limit)
    if after is not None:
        query = query.where(memberships.c.user_id > after)
    return await _read(session, query)


async def memberships_of(session: AsyncSession, user_id: UUID) -> list[Membership]:
    """Answers all memberships of one user, by team id."""
    return await _read(session, _memberships().where(memberships.c.user_id == user_id).order_by(memberships.c.team_id))


def _memberships() -> Select[Any]:
    names = teams.c.name.label("team_name"), users.c.display_name.label("user_name")
    return (
        select(memberships, *names)
        .join(teams, teams.c.id == memberships.c.team_id)
        .join(users, users.c.id == memberships.c.user_id)
    )


async def _read(session: AsyncSession, query: Select[Any]) -> list[Membership]:
    return [Membership(**{**row, "role": Role[row["role"]]}) for row in (await session.execute(query)).mappings()]
