"""What is stored sealed, by the key that it is sealed under: what a change of keys looks for and rewrites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.tables import executions, secrets


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A secret as it is stored."""

    id: UUID
    team_id: UUID
    name: str
    key_id: str
    sealed: bytes = field(repr=False)


async def lock_under_other_keys(
    session: AsyncSession, key_id: str, *, after: UUID, limit: int, wait: bool
) -> list[SealedSecret]:
    """Answers and locks secrets under any key but this, in the order of their ids, beginning after one.

    Those that somebody else has locked are left out, or, with `wait`, waited for. Executors read on meanwhile.
    """
    columns = [secrets.c[name] for name in ("id", "team_id", "name", "key_id", "sealed")]
    query = (
        select(*columns)
        .where(secrets.c.key_id != key_id, secrets.c.id > after)
        .order_by(secrets.c.id)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=not wait)
    )
    return [SealedSecret(**row) for row in (await session.execute(query)).mappings()]


async def rewrite(session: AsyncSession, sealed: Sequence[SealedSecret]) -> None:
    """Stores other seals of the same values; the caller holds the locks. Who put a value, and when, stays."""
    if sealed:
        connection = await session.connection()
        await connection.execute(
            update(secrets)
            .where(secrets.c.id == bindparam("which"))
            .values(sealed=bindparam("new_seal"), key_id=bindparam("new_key")),
            [{"which": secret.id, "new_seal": secret.sealed, "new_key": secret.key_id} for secret in sealed],
        )


async def count_secrets(session: AsyncSession, *, not_under: str) -> int:
    """Answers how many secrets are under another key than this."""
    query = select(func.count()).select_from(secrets).where(secrets.c.key_id != not_under)
    return await session.scalar(query) or 0


async def count_parameters(session: AsyncSession, *, not_beginning: bytes) -> int:
    """Answers how many executions have sealed parameters that begin otherwise; they lose them when they end."""
    begins = func.substring(executions.c.sealed_parameters, 1, len(not_beginning))
    query = select(func.count()).select_from(executions)
    return await session.scalar(query.where(executions.c.sealed_parameters.is_not(None), begins != not_beginning)) or 0
