"""Secrets of teams. What is read here is everything but the values: those the executor reads, sealed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from uuid import UUID

from sqlalchemy import cast, delete, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.tables import runbook_versions, runbooks, secrets
from server.domain.runbook import ARCHIVED
from server.domain.secret import Secret

_HEAD = [column for column in secrets.c if column.name != "sealed"]
_folded_name = func.lower(secrets.c.name)


async def put(session: AsyncSession, secret: Secret, sealed: bytes) -> Secret | None:
    """Stores a secret, new or instead of the value it had; None where the team has one in another case.

    One statement, so that two who put the same name at once both succeed, one after the other.
    """
    new = insert(secrets).values(asdict(secret) | {"sealed": sealed})
    replaced = {name: new.excluded[name] for name in ("sealed", "key_id", "updated_by", "updated_at")}
    query = new.on_conflict_do_update(
        index_elements=[secrets.c.team_id, _folded_name], set_=replaced, where=secrets.c.name == new.excluded.name
    ).returning(*_HEAD)
    row = (await session.execute(query)).mappings().one_or_none()
    return Secret(**row) if row else None


async def find(session: AsyncSession, team_id: UUID, name: str, *, lock: bool = False) -> Secret | None:
    """Answers one secret by its name as it is spelled; with `lock`, no version that names it is approved meanwhile."""
    query = select(*_HEAD).where(secrets.c.team_id == team_id, secrets.c.name == name)
    row = (await session.execute(query.with_for_update() if lock else query)).mappings().one_or_none()
    return Secret(**row) if row else None


async def existing(session: AsyncSession, team_id: UUID, names: Collection[str], *, hold: bool = False) -> set[str]:
    """Answers which of `names` the team has; with `hold`, none of those is deleted before this transaction ends.

    New values can be put meanwhile: the lock is the weakest that a deletion waits for.
    """
    if not names:
        return set()
    query = select(secrets.c.name).where(secrets.c.team_id == team_id, secrets.c.name.in_(names)).order_by(secrets.c.id)
    if hold:
        query = query.with_for_update(read=True, key_share=True)
    return set((await session.execute(query)).scalars())


async def page(session: AsyncSession, team_id: UUID, *, after: str | None, limit: int) -> list[Secret]:
    """Answers a team's secrets by name, whatever its case, that come after `after`, a name in lower case."""
    query = select(*_HEAD).where(secrets.c.team_id == team_id).order_by(_folded_name).limit(limit)
    if after is not None:
        query = query.where(_folded_name > after)
    return [Secret(**row) for row in (await session.execute(query)).mappings()]


async def runbooks_that_need(session: AsyncSession, team_id: UUID, name: str, *, limit: int) -> list[str]:
    """Answers the names of runbooks that are not archived and whose current version names the secret."""
    names = cast(runbook_versions.c.settings["secret_names"], JSONB)
    query = (
        select(runbooks.c.name)
        .join(
            runbook_versions,
            (runbook_versions.c.runbook_id == runbooks.c.id)
            & (runbook_versions.c.version == runbooks.c.current_version),
        )
        .where(runbooks.c.team_id == team_id, runbooks.c.status != ARCHIVED, names.contains([name]))
        .order_by(runbooks.c.name)
        .limit(limit)
    )
    return list((await session.execute(query)).scalars())


async def remove(session: AsyncSession, secret_id: UUID) -> None:
    """Deletes a secret; the caller holds the lock of its row."""
    await session.execute(delete(secrets).where(secrets.c.id == secret_id))
