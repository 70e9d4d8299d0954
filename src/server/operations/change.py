"""The transaction of an operation that changes something: what it does is audited in it, or not done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.audit import AuditEntry, append
from kernel.database import Sessions, Transaction, transaction
from server.domain.permission import Call


class Change:
    """One transaction and the call that makes it; None where the platform itself does."""

    def __init__(self, tx: Transaction, call: Call | None) -> None:
        self._tx = tx
        self.call = call

    @property
    def session(self) -> AsyncSession:
        return self._tx.session

    def after_commit(self, action: Callable[[], Awaitable[object]]) -> None:
        """As `kernel.database.Transaction.after_commit`: only what may be lost."""
        self._tx.after_commit(action)

    async def audit(
        self, action: str, resource_id: UUID | str, *, team_id: UUID | None = None, **detail: str | int | bool | None
    ) -> None:
        """Notes `<resource>.<what happened to it>`; `detail` is as public as the resource: no script, no secret.

        By whom, from where and under which request id is known from the call.
        """
        await append(self._tx.session, entry_of(self.call, action, resource_id, team_id=team_id, **detail))


def entry_of(
    call: Call | None,
    action: str,
    resource_id: UUID | str,
    *,
    team_id: UUID | None = None,
    **detail: str | int | bool | None,
) -> AuditEntry:
    """Answers what `Change.audit` notes, for a statement that notes it along with what it does."""
    return AuditEntry(
        action=action,
        resource_id=str(resource_id),
        team_id=team_id,
        actor_id=call.caller.user_id if call else None,
        detail=detail,
        peer=call.peer if call else "",
        request_id=call.request_id if call else "",
    )


@asynccontextmanager
async def change(make_session: Sessions, call: Call | None) -> AsyncIterator[Change]:
    """Commits at the end of the block, rolls back on any exception."""
    async with transaction(make_session) as tx:
        yield Change(tx, call)


class _Rehearsed(Exception):
    """Ends a rehearsal: what was done is rolled back."""


@asynccontextmanager
async def rehearsal(make_session: Sessions, call: Call | None) -> AsyncIterator[Change]:
    """As `change`, with all that it finds out, and nothing of what it does: the end of the block rolls back."""
    with suppress(_Rehearsed):
        async with transaction(make_session) as tx:
            yield Change(tx, call)
            raise _Rehearsed
