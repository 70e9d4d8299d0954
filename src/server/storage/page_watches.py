"""Watches of gateways that keep pages, and what each has yet to confirm; the argument is decision 0023.

All times are the database's: `clock_timestamp()`, because `now()` stands still within a transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, literal, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.status_page_tables import status_page_confirmations as confirmations
from kernel.status_page_tables import status_page_watches as watches

CHANNEL = "oncall_status_page_confirmations"
"""PostgreSQL's NOTIFY: a change's id, each time that a gateway has confirmed it."""

_OPENING = 0x6F6E_6361_6C6C_0023
"""The advisory lock that puts watches and the changes to be confirmed into one order."""


async def open_watch(session: AsyncSession, watch_id: str, lasts: timedelta) -> list[dict[str, Any]]:
    """Begins a watch, or begins it anew; answers the changes it still has to confirm.

    Waits for changes that are being committed; those that come later see the watch.
    """
    await session.execute(select(func.pg_advisory_xact_lock(_OPENING)))
    expires_at = func.clock_timestamp() + lasts
    await session.execute(
        postgresql.insert(watches)
        .values(watch_id=watch_id, expires_at=expires_at)
        .on_conflict_do_update(index_elements=["watch_id"], set_={"expires_at": expires_at})
    )
    # Told anew, and so with time anew: the gateway may have missed them with the stream before.
    owed = await session.execute(
        update(confirmations)
        .where(confirmations.c.watch_id == watch_id, confirmations.c.confirmed_at.is_(None))
        .values(told_at=func.clock_timestamp())
        .returning(confirmations.c.word)
    )
    return list(owed.scalars())


async def renew(
    session: AsyncSession, watch_id: str, confirmed: Sequence[UUID], lasts: timedelta, patience: timedelta
) -> bool:
    """Notes confirmations and prolongs a watch; False where it has expired, or owes a confirmation beyond `patience`.

    The row is locked before the clock is read: whoever found the watch expired under the lock never sees it come back.
    """
    await session.execute(
        select(watches.c.watch_id).where(watches.c.watch_id == watch_id).with_for_update(key_share=True)
    )
    if confirmed:
        await session.execute(
            update(confirmations)
            .where(
                confirmations.c.watch_id == watch_id,
                confirmations.c.change_id.in_(confirmed),
                confirmations.c.confirmed_at.is_(None),
            )
            .values(confirmed_at=func.clock_timestamp())
        )
        for change_id in confirmed:
            await session.execute(select(func.pg_notify(CHANNEL, str(change_id))))
    overdue = select(confirmations.c.change_id).where(
        confirmations.c.watch_id == watch_id,
        confirmations.c.confirmed_at.is_(None),
        confirmations.c.told_at < func.clock_timestamp() - patience,
    )
    renewed = await session.execute(
        update(watches)
        .where(watches.c.watch_id == watch_id, watches.c.expires_at > func.clock_timestamp(), ~overdue.exists())
        .values(expires_at=func.clock_timestamp() + lasts)
        .returning(watches.c.watch_id)
    )
    return renewed.one_or_none() is not None


async def oblige(session: AsyncSession, change_id: UUID, word: Mapping[str, Any]) -> None:
    """Makes every watch owe the confirmation of a change, in the transaction of the change."""
    await session.execute(select(func.pg_advisory_xact_lock_shared(_OPENING)))
    columns = ["change_id", "watch_id", "word", "told_at"]
    owing = select(literal(change_id), watches.c.watch_id, literal(dict(word), JSONB), func.clock_timestamp())
    await session.execute(insert(confirmations).from_select(columns, owing))


async def owes_anybody(session: AsyncSession, change_id: UUID) -> bool:
    """Whether a watch that has not expired owes the confirmation of a change.

    Locks every such watch before it is believed to have expired: a renewal in flight is waited for.
    """
    query = (
        select(watches.c.expires_at > func.clock_timestamp())
        .join_from(confirmations, watches)
        .where(confirmations.c.change_id == change_id, confirmations.c.confirmed_at.is_(None))
        .with_for_update(read=True, of=watches)
    )
    return any((await session.execute(query)).scalars())


async def sweep(session: AsyncSession, after: timedelta) -> int:
    """Forgets watches that expired so long ago, with what they owed, and confirmations as old; answers how many."""
    long_ago = func.clock_timestamp() - after
    # No change makes a watch owe something while it goes.
    await session.execute(select(func.pg_advisory_xact_lock(_OPENING)))
    gone = await session.execute(delete(watches).where(watches.c.expires_at < long_ago).returning(watches.c.watch_id))
    await session.execute(delete(confirmations).where(confirmations.c.confirmed_at < long_ago))
    return len(gone.all())
