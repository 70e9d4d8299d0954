"""Executors, as they told of themselves. They write their rows themselves; here they are read, and the dead removed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy import RowMapping, delete, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import Text

from kernel.executor_registry import somebody_carries
from kernel.tables import executors
from server.domain.executor import Executor, state_of

_TOLD = ("id", "host", "pid", "version", "tags", "concurrency", "running", "isolation", "started_at", "seen_at")
_HEAD = [executors.c[name] for name in _TOLD]


async def page(session: AsyncSession, *, after: str | None, limit: int) -> list[Executor]:
    """Answers executors by id, those after `after`."""
    in_time = (executors.c.lease_expires_at > func.now()).label("in_time")
    query = select(*_HEAD, executors.c.stopping, in_time).order_by(executors.c.id).limit(limit)
    if after is not None:
        query = query.where(executors.c.id > after)
    return [_executor(row) for row in (await session.execute(query)).mappings()]


async def nobody_carries(session: AsyncSession, tags: Collection[str]) -> bool:
    """Whether no executor that is known to live carries all of these; False where none are asked for."""
    if not tags:
        return False
    return not await session.scalar(select(somebody_carries(literal(list(tags), ARRAY(Text)))))


async def forget_silent(session: AsyncSession, *, since: timedelta) -> list[str]:
    """Removes executors that have been lost for longer than `since`; answers their ids."""
    silent = executors.c.lease_expires_at < func.now() - since
    return list((await session.execute(delete(executors).where(silent).returning(executors.c.id))).scalars())


def _executor(row: RowMapping) -> Executor:
    told: dict[str, Any] = {name: row[name] for name in _TOLD}
    return Executor(**told, state=state_of(in_time=row["in_time"], stopping=row["stopping"]))
