"""First answers of calls that carried a request id."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.tables import request_ids


async def claim(
    session: AsyncSession, caller_id: UUID, method: str, request_id: str, fingerprint: bytes
) -> tuple[bytes, dict[str, Any]] | None:
    """Claims a request id; where somebody has it, answers the fingerprint and the resource of the first call.

    Waits for a call with the same id that is in flight: after its commit its answer is found, after its rollback the
    id is free.
    """
    row = {"caller_id": caller_id, "method": method, "request_id": request_id, "fingerprint": fingerprint}
    claimed = await session.execute(
        postgresql.insert(request_ids)
        .values(**row, resource={}, created_at=func.now())
        .on_conflict_do_nothing()
        .returning(request_ids.c.request_id)
    )
    if claimed.one_or_none() is not None:
        return None
    query = select(request_ids.c.fingerprint, request_ids.c.resource).where(_key(caller_id, method, request_id))
    first = (await session.execute(query)).one()
    return first.fingerprint, first.resource


async def settle(
    session: AsyncSession, caller_id: UUID, method: str, request_id: str, resource: dict[str, Any]
) -> None:
    """Notes what the claimed call made."""
    await session.execute(update(request_ids).where(_key(caller_id, method, request_id)).values(resource=resource))


def _key(caller_id: UUID, method: str, request_id: str) -> ColumnElement[bool]:
    return (
        (request_ids.c.caller_id == caller_id)
        & (request_ids.c.method == method)
        & (request_ids.c.request_id == request_id)
    )
