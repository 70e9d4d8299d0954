"""Rows of any table that are older than somebody needs them: found along an index of their time, removed in batches."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, cast, delete, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession


def due(at: Column[Any], kept: timedelta, most: int, *also: ColumnElement[bool]) -> Select[Any]:
    """Finds the keys of rows whose time `at` is longer ago than `kept`, the oldest first, and locks them.

    `also` is what has to hold besides.

    What others hold is left to them.
    """
    return (
        select(*at.table.primary_key.columns)
        .where(at < cast(func.now() - kept, at.type), *also)
        .order_by(at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )


async def remove(session: AsyncSession, at: Column[Any], kept: timedelta, most: int, *also: ColumnElement[bool]) -> int:
    """Deletes the oldest so many of these rows; answers how many."""
    found = due(at, kept, most, *also).cte("due")
    key = tuple_(*at.table.primary_key.columns)
    gone = await session.execute(delete(at.table).where(key.in_(select(found))).returning(literal(1)))
    return len(gone.all())
