"""The transaction of an operation that changes something: what it does is audited in it, or not done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.database import Sessions, Transaction, transaction
from server.storage import audit_events


class Change:
    """One transaction and who makes it; `actor_id` is None where the platform itself does."""

    def __init__(self, tx: Transaction, actor_id: UUID | None) -> None:
        self._tx = tx
        self._actor_id = actor_id

    @property
    def session(self) -> AsyncSession:
        return self._tx.session

    def after_commit(self, action: Callable[[], Awaitable[object]]) -> None:
        """As `kernel.database.Transaction.after_commit`: only what may be lost."""
        self._tx.after_commit(action)

    async def audit(
        self, action: str, resource_id: UUID | str, *, team_id: UUID | None = None, **detail: str | int | bool | None
    ) -> None:
        """Notes `<resource>.<what happened to it>`; `detail` is as public as the resource: no script, no secret."""
        await audit_events.add(
            self._tx.session,
            actor_id=self._actor_id,
            action=action,
            team_id=team_id,
            resource_type=action.partition(".")[0],
            resource_id=str(resource_id),
            detail=detail,
        )


@asynccontextmanager
async def change(make_session: Sessions, actor_id: UUID | None) -> AsyncIterator[Change]:
    """Commits at the end of the block, rolls back on any exception."""
    async with transaction(make_session) as tx:
        yield Change(tx, actor_id)
