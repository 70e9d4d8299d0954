"""The secrets of teams as they lie in the database: sealed. Opening one takes a cipher, which nothing here has."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.tables import secrets


def context_of(team_id: UUID, name: str) -> str:
    """Answers what a secret's value is sealed for: a value moved to another team or name does not open there."""
    return f"secret:{team_id}:{name}"


async def read_sealed(session: AsyncSession, team_id: UUID, names: Collection[str]) -> dict[str, bytes]:
    """Answers the sealed values of those `names` that the team has, in one query; whoever asks counts them.

    A name is matched as it is spelled: the digest of what was approved has that spelling.
    """
    if not names:
        return {}
    query = select(secrets.c.name, secrets.c.sealed).where(secrets.c.team_id == team_id, secrets.c.name.in_(names))
    return {row.name: row.sealed for row in await session.execute(query)}
