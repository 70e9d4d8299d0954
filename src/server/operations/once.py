"""Makes a repeated call answer what the first one made, also where both are in flight at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import AlreadyExists
from server.domain.permission import Call
from server.domain.request_key import RequestKey
from server.storage import request_ids


async def first_result(
    session: AsyncSession, call: Call, key: RequestKey, *, to_make: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """Answers what the first call with this key made; None where this is the first, which then calls `remember`.

    Belongs after the check of permissions and before any decision about state: a repeat is not judged again. Whoever
    knows beforehand what it is `to_make` says so, and has nothing to remember: a refusal takes it back.
    """
    if not key.request_id:
        return None
    first = await request_ids.claim(session, values_to_claim(call, key, to_make=to_make or {}))
    if first is None:
        return None
    fingerprint, resource = first
    if fingerprint != key.fingerprint:
        raise AlreadyExists("this request id was used with other content", reason="REQUEST_ID_REUSED")
    return resource


def values_to_claim(call: Call, key: RequestKey, *, to_make: Mapping[str, Any]) -> dict[str, Any]:
    """Answers the values of `request_ids.claimed`, for a statement that claims the id along with what it does."""
    return request_ids.values_of(call.caller.user_id, call.method, key.request_id, key.fingerprint, to_make)


async def remember(session: AsyncSession, call: Call, key: RequestKey, resource: dict[str, Any]) -> None:
    """Notes what the first call made, in the transaction that makes it."""
    if key.request_id:
        await request_ids.settle(session, call.caller.user_id, call.method, key.request_id, resource)
