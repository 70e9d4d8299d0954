"""Adds what was read to the counts, last uses, days and sessions of partners: each kind for a whole batch at once.

So a batch of a thousand clients is seven statements and some hundredths of a second, not four thousand, during which
the rows of its partners are locked.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import FromClause, Table, Update, bindparam, column, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningUpdate

from kernel.status_page_tables import (
    partner_access_batches,
    partner_accesses,
    partner_sessions,
    partner_tokens,
    partners,
)
from server.domain.partner_access import SESSION_ENDS_AFTER, Visitor, Visits

Entry = tuple[Visitor, Visits]
K = TypeVar("K", bound=Hashable)


async def claim_batch(session: AsyncSession, batch_id: str) -> bool:
    """Whether a batch of accesses is new; waits for one of the same id that is being written."""
    claimed = await session.execute(
        insert(partner_access_batches)
        .values(batch_id=batch_id, recorded_at=func.now())
        .on_conflict_do_nothing()
        .returning(partner_access_batches.c.batch_id)
    )
    return claimed.one_or_none() is not None


async def record(session: AsyncSession, new_id: Callable[[], UUID], entries: Sequence[Entry]) -> None:
    """Adds visits to their visitors' sessions, or begins new ones where the last have ended.

    What is said of partners who are deleted since counts for nobody; their sessions went with them. The partners' rows
    are locked first, in one order: so two servers neither wait for each other crosswise nor begin a session twice.
    """
    locked = await session.scalars(
        select(partners.c.id)
        .where(partners.c.id.in_(sorted({visitor.partner_id for visitor, _ in entries})))
        .order_by(partners.c.id)
        .with_for_update(key_share=True)
    )
    there = set(locked)
    entries = [entry for entry in entries if entry[0].partner_id in there]
    if not entries:
        return
    await _add_to_partners(session, entries)
    await _add_to_tokens(session, entries)
    await _add_to_days(session, entries)
    await _add_to_sessions(session, new_id, entries)


def _by(entries: Sequence[Entry], key: Callable[[Visitor, Visits], K]) -> dict[K, Visits]:
    """Adds up the visits that have the same key: no statement may touch a row twice."""
    sums: dict[K, Visits] = {}
    for visitor, visits in entries:
        of = key(visitor, visits)
        sums[of] = sums[of].and_then(visits) if of in sums else visits
    return sums


async def _add_to_partners(session: AsyncSession, entries: Sequence[Entry]) -> None:
    by_partner = _by(entries, lambda visitor, _: visitor.partner_id)
    rows = [
        {"id": partner_id, "access_count": visits.count, "last_access_at": visits.last_at}
        for partner_id, visits in by_partner.items()
    ]
    await session.execute(_ADD_TO_PARTNERS, _arrays(rows))


async def _add_to_tokens(session: AsyncSession, entries: Sequence[Entry]) -> None:
    by_token = _by(entries, lambda visitor, _: visitor.token_id)
    rows = [{"id": token_id, "last_used_at": visits.last_at} for token_id, visits in by_token.items()]
    await session.execute(_ADD_TO_TOKENS, _arrays(rows))


async def _add_to_days(session: AsyncSession, entries: Sequence[Entry]) -> None:
    """Adds visits to the day of the last of them; batches are short, so one over midnight matters to nobody."""
    by_day = _by(
        entries,
        lambda visitor, visits: (
            visitor.partner_id,
            visits.last_at.astimezone(UTC).date(),
            visitor.token_prefix,
            visitor.address,
        ),
    )
    rows = [
        dict(zip(_DAY_KEY, key, strict=True))
        | {"first_at": visits.first_at, "last_at": visits.last_at, "access_count": visits.count}
        for key, visits in by_day.items()
    ]
    await session.execute(_ADD_TO_DAYS, _arrays(rows))


async def _add_to_sessions(session: AsyncSession, new_id: Callable[[], UUID], entries: Sequence[Entry]) -> None:
    """Adds visits to the newest session of each visitor that has not ended, and begins one where there is none."""
    by_visitor = _by(
        entries,
        lambda visitor, _: (visitor.partner_id, visitor.address, visitor.user_agent, visitor.token_prefix),
    )
    rows = [
        dict(zip(_VISITOR_KEY, key, strict=True))
        | {
            "id": new_id(),
            "started_at": visits.first_at,
            "last_active_at": visits.last_at,
            "access_count": visits.count,
        }
        for key, visits in by_visitor.items()
    ]
    continued = set(await session.scalars(_CONTINUE_SESSIONS, _arrays(rows)))
    begun = [row for row in rows if row["id"] not in continued]
    if begun:
        await session.execute(_BEGIN_SESSIONS, _arrays(begun))


_DAY_KEY = ("partner_id", "date", "token_prefix", "address")
_VISITOR_KEY = ("partner_id", "address", "user_agent", "token_prefix")


def _sent(table: Table, *names: str) -> FromClause:
    """Answers the rows of a batch, each of whose columns is sent as one array, so that any batch is one statement."""
    arrays = [bindparam(f"each_{name}", type_=ARRAY(table.c[name].type)) for name in names]
    columns = [column(name, table.c[name].type) for name in names]
    return func.unnest(*arrays).table_valued(*columns, name="sent").render_derived()


def _arrays(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {f"each_{name}": [row[name] for row in rows] for name in rows[0]}


def _adding_to_partners() -> Update:
    sent = _sent(partners, "id", "access_count", "last_access_at")
    return (
        update(partners)
        .where(partners.c.id == sent.c.id)
        .values(
            access_count=partners.c.access_count + sent.c.access_count,
            last_access_at=func.greatest(partners.c.last_access_at, sent.c.last_access_at),
        )
    )


def _adding_to_tokens() -> Update:
    sent = _sent(partner_tokens, "id", "last_used_at")
    last = func.greatest(partner_tokens.c.last_used_at, sent.c.last_used_at)
    return update(partner_tokens).where(partner_tokens.c.id == sent.c.id).values(last_used_at=last)


def _adding_to_days() -> Insert:
    names = (*_DAY_KEY, "first_at", "last_at", "access_count")
    new = insert(partner_accesses).from_select(names, select(*_sent(partner_accesses, *names).c))
    return new.on_conflict_do_update(
        index_elements=_DAY_KEY,
        set_={
            "first_at": func.least(partner_accesses.c.first_at, new.excluded.first_at),
            "last_at": func.greatest(partner_accesses.c.last_at, new.excluded.last_at),
            "access_count": partner_accesses.c.access_count + new.excluded.access_count,
        },
    )


_SESSION = ("id", *_VISITOR_KEY, "started_at", "last_active_at", "access_count")


def _continuing_sessions() -> ReturningUpdate[Any]:
    """Answers the ids that new sessions would have had, of the visits that go on with one that is there."""
    sent, known = _sent(partner_sessions, *_SESSION), partner_sessions.alias("known")
    newest = (
        select(known.c.id)
        .where(
            *(known.c[name] == sent.c[name] for name in _VISITOR_KEY),
            known.c.last_active_at >= sent.c.started_at - SESSION_ENDS_AFTER,
        )
        .order_by(known.c.last_active_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    found = select(*sent.c, newest.label("continued_id")).subquery("found")
    return (
        update(partner_sessions)
        .where(partner_sessions.c.id == found.c.continued_id)
        .values(
            started_at=func.least(partner_sessions.c.started_at, found.c.started_at),
            last_active_at=func.greatest(partner_sessions.c.last_active_at, found.c.last_active_at),
            access_count=partner_sessions.c.access_count + found.c.access_count,
        )
        .returning(found.c.id)
    )


_ADD_TO_PARTNERS, _ADD_TO_TOKENS, _ADD_TO_DAYS = _adding_to_partners(), _adding_to_tokens(), _adding_to_days()
_CONTINUE_SESSIONS = _continuing_sessions()
_BEGIN_SESSIONS = insert(partner_sessions).from_select(_SESSION, select(*_sent(partner_sessions, *_SESSION).c))
