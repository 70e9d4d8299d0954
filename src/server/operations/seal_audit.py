"""Seals the audit: hashes each event to the one before, in order, apart from the transactions that wrote them.

So no lock of the chain stands between two callers who change things at once; an event is sealed some seconds later.
"""

from __future__ import annotations

from kernel.database import Sessions, transaction
from oncall.audit_chain import ORIGIN, ChainedEvent, seal
from server.domain.audit import AuditEvent, Seal
from server.storage import audit_seals

BATCH = 500


async def seal_audit(make_session: Sessions) -> int:
    """Seals all that waits, each batch in a transaction of its own; answers how many.

    Where another process seals at the moment, there is nothing to do.
    """
    sealed = 0
    while batch := await _seal_batch(make_session):
        sealed += batch
        if batch < BATCH:
            break
    return sealed


async def _seal_batch(make_session: Sessions) -> int:
    async with transaction(make_session) as tx:
        if not await audit_seals.lock(tx.session):
            return 0
        events = await audit_seals.waiting(tx.session, limit=BATCH)
        if not events:
            return 0
        end = await audit_seals.head(tx.session)
        position, head = (end.position, end.hash) if end else (0, ORIGIN)
        links = seal(position, head, map(_chained, events))
        seals = {
            event.id: Seal(link.position, link.previous_hash, link.hash)
            for event, link in zip(events, links, strict=True)
        }
        await audit_seals.add(tx.session, seals)
    return len(events)


def _chained(event: AuditEvent) -> ChainedEvent:
    return ChainedEvent(
        id=event.id,
        time=event.time,
        actor_id=str(event.actor_id or ""),
        action=event.action,
        team_id=str(event.team_id or ""),
        resource_type=event.resource_type,
        resource_id=event.resource_id,
        detail=event.detail,
        outcome=event.outcome,
        peer=event.peer,
        request_id=event.request_id,
    )
