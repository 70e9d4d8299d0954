"""Rows of the audit, written in the transaction of what they tell of. Nothing changes one: the database refuses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, Insert, RowMapping, bindparam, func, insert
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.tables import audit_events


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What is noted; the database adds when.

    `action` is `<type of the resource>.<what happened to it>`. `detail` is as public as the resource: never a script, a
    secret or a sensitive value; its numbers are whole and below 2**53, so that they are the same in every language.
    """

    action: str
    resource_id: str
    team_id: UUID | None = None
    actor_id: UUID | None = None
    detail: Mapping[str, str | int | bool | None] = field(default_factory=dict)
    peer: str = ""
    request_id: str = ""
    denied: bool = False


async def append(session: AsyncSession, entry: AuditEntry) -> None:
    await session.execute(_APPEND, values_of(entry))


async def append_all(session: AsyncSession, entries: Sequence[AuditEntry]) -> None:
    """Appends entries in their order."""
    if entries:
        await session.execute(_APPEND, [values_of(entry) for entry in entries])


def appended() -> CTE:
    """Answers what notes an entry as a part of another statement, for whom a round trip of its own is too long.

    That statement is executed with the values of the entry (`values_of`) among its own.
    """
    return _append().cte("audited")


def values_of(entry: AuditEntry) -> dict[str, Any]:
    return {
        "audited_actor_id": entry.actor_id,
        "audited_action": entry.action,
        "audited_team_id": entry.team_id,
        "audited_resource_type": entry.action.partition(".")[0],
        "audited_resource_id": entry.resource_id,
        "audited_detail": dict(entry.detail),
        "audited_outcome": "DENIED" if entry.denied else "DONE",
        "audited_peer": entry.peer,
        "audited_request_id": entry.request_id,
    }


def _append() -> Insert:
    given: dict[str, Any] = {
        c.name: bindparam(f"audited_{c.name}") for c in audit_events.c if c.name not in {"id", "time"}
    }
    return insert(audit_events).values(time=func.now(), **given)


_APPEND = _append()


async def note_end(session: AsyncSession, execution: RowMapping) -> None:
    """Notes how an execution ended; it goes with the move that ends it."""
    await append(session, end_of(dict(execution)))


def end_of(execution: Mapping[str, Any]) -> AuditEntry:
    """Answers what is noted of an execution that ends, as the platform's own doing."""
    detail = {name: execution[name] for name in ("status", "exit_code", "error_code", "attempt")}
    return AuditEntry("execution.ended", str(execution["id"]), team_id=execution["team_id"], detail=detail)
