"""Rows of the audit, written in the transaction of what they tell of. Nothing changes one: the database refuses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import CTE, Insert, RowMapping, func, insert
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
    await session.execute(_insertion(entry))


def appended(entry: AuditEntry) -> CTE:
    """Answers what notes `entry` as a part of another statement, for whom a round trip of its own is too long."""
    return _insertion(entry).cte("audited")


def _insertion(entry: AuditEntry) -> Insert:
    return insert(audit_events).values(
        time=func.now(),
        actor_id=entry.actor_id,
        action=entry.action,
        team_id=entry.team_id,
        resource_type=entry.action.partition(".")[0],
        resource_id=entry.resource_id,
        detail=dict(entry.detail),
        outcome="DENIED" if entry.denied else "DONE",
        peer=entry.peer,
        request_id=entry.request_id,
    )


async def note_end(session: AsyncSession, execution: RowMapping) -> None:
    """Notes how an execution ended, as the platform's own doing; it goes with the move that ends it."""
    detail = {name: execution[name] for name in ("status", "exit_code", "error_code", "attempt")}
    await append(
        session, AuditEntry("execution.ended", str(execution["id"]), team_id=execution["team_id"], detail=detail)
    )
