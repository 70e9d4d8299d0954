"""First answers of calls that carried a request id."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, CursorResult, Select, bindparam, delete, func, select, tuple_, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.database import constraint_of
from kernel.tables import request_ids

_NEW = postgresql.insert(request_ids).values(
    caller_id=bindparam("caller"),
    method=bindparam("called"),
    request_id=bindparam("given"),
    fingerprint=bindparam("content"),
    resource=bindparam("made"),
    created_at=func.now(),
)
_CLAIM = _NEW.on_conflict_do_nothing().returning(request_ids.c.request_id)


def claimed() -> CTE:
    """Answers what claims a request id as a part of another statement, which fails where somebody has it (`is_taken`).

    That statement is executed with `values_of` among its own values.
    """
    return _NEW.cte("claimed")


def is_taken(error: Exception) -> bool:
    return constraint_of(error) == "pk_request_ids"


def values_of(
    caller_id: UUID, method: str, request_id: str, fingerprint: bytes, resource: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "caller": caller_id,
        "called": method,
        "given": request_id,
        "content": fingerprint,
        "made": dict(resource),
    }


async def claim(session: AsyncSession, values: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]] | None:
    """Claims a request id by its `values_of`; where somebody has it, answers the first call's fingerprint and resource.

    Waits for a call with the same id that is in flight: after its commit its answer is found, after its rollback the
    id is free. It is also free where it was forgotten between being found taken and being read.
    """
    key = _key(values["caller"], values["called"], values["given"])
    query = select(request_ids.c.fingerprint, request_ids.c.resource).where(key)
    while (await session.execute(_CLAIM, values)).one_or_none() is None:
        first = (await session.execute(query)).one_or_none()
        if first is not None:
            return first.fingerprint, first.resource
    return None


async def settle(
    session: AsyncSession, caller_id: UUID, method: str, request_id: str, resource: dict[str, Any]
) -> None:
    """Notes what the claimed call made."""
    await session.execute(update(request_ids).where(_key(caller_id, method, request_id)).values(resource=resource))


def due(age: timedelta, limit: int) -> Select[Any]:
    """Finds the keys of what is older than `age`, the oldest first, and locks them; skips what others hold."""
    return (
        select(request_ids.c.caller_id, request_ids.c.method, request_ids.c.request_id)
        .where(request_ids.c.created_at < func.now() - age)
        .order_by(request_ids.c.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


async def forget(session: AsyncSession, *, older_than: timedelta, limit: int) -> int:
    """Removes the oldest of those that are older; answers how many, at most `limit`."""
    found = due(older_than, limit).cte("due")
    key = tuple_(request_ids.c.caller_id, request_ids.c.method, request_ids.c.request_id)
    query = delete(request_ids).where(key.in_(select(found)))
    removed: CursorResult[Any] = await session.execute(query)  # type: ignore[assignment] # what a DELETE answers
    return removed.rowcount


def _key(caller_id: UUID, method: str, request_id: str) -> ColumnElement[bool]:
    return (
        (request_ids.c.caller_id == caller_id)
        & (request_ids.c.method == method)
        & (request_ids.c.request_id == request_id)
    )
