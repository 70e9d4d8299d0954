"""The durable side of an execution's log: numbered rows, appended under a fence, read in pages.

Numbers come from whoever may write: the server while the execution is PENDING (under its row lock), the executor that
holds the epoch while it is RUNNING. So there are no holes, and a repeated append of the same events changes nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, func, insert, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.execution.event import Event, Output, OutputStream, Payload, StateChanged, Truncated
from kernel.tables import execution_events, executions

READ_PAGE_EVENTS = 64
READ_PAGE_BYTES = 256 * 1024
"""A page ends with the event that reaches it: one reader costs at most this and a chunk, whatever the events hold."""

_FENCE = (
    select(executions.c.id)
    .where(executions.c.status == "RUNNING")
    .with_for_update(read=True, of=executions)  # waits for a sweep that is taking the execution away, then sees it gone
)


async def append_fenced(session: AsyncSession, execution_id: UUID, epoch: int, events: Sequence[Event]) -> bool:
    """Appends what the holder of `epoch` numbered; False where it no longer holds it, and then nothing was written.

    Repeating it with the same events changes nothing: after a lost answer, call it again.
    """
    held = await session.scalar(_FENCE.where(executions.c.id == execution_id, executions.c.epoch == epoch))
    if held is None:
        return False
    rows = [_to_row(execution_id, event) for event in events]
    await session.execute(postgresql.insert(execution_events).on_conflict_do_nothing(), rows)
    return True


async def append_state(
    session: AsyncSession, execution_id: UUID, state: dict[str, Any], *, warnings: Sequence[str] = ()
) -> Event:
    """Appends a change of state with the next number; the caller holds the row lock of the execution."""
    last = select(func.coalesce(func.max(execution_events.c.sequence), 0)).where(
        execution_events.c.execution_id == execution_id
    )
    sequence, now = (await session.execute(select(last.scalar_subquery() + 1, func.now()))).one()
    event = Event(sequence, now, StateChanged(state, tuple(warnings)))
    await session.execute(insert(execution_events), [_to_row(execution_id, event)])
    return event


async def read_after(
    session: AsyncSession, execution_id: UUID, after_sequence: int, *, limit: int = READ_PAGE_EVENTS
) -> list[Event]:
    """Answers the next events in order, at most `limit` and `READ_PAGE_BYTES`; empty where there are none yet."""
    candidates = _page(execution_id, after_sequence, limit).subquery()
    size = func.coalesce(func.octet_length(candidates.c.data), 0)  # known without reading the data
    before = func.sum(size).over(order_by=candidates.c.sequence) - size
    sized = select(candidates, before.label("bytes_before")).subquery()
    query = select(sized).where(sized.c.bytes_before < READ_PAGE_BYTES).order_by(sized.c.sequence)
    return [_from_row(row) for row in (await session.execute(query)).mappings()]


async def read_attempt_output(session: AsyncSession, execution_id: UUID, attempt: int) -> AsyncIterator[Event]:
    """Yields the output and truncations of one attempt, in order, a page at a time."""
    after = 0
    while True:
        query = _page(execution_id, after, READ_PAGE_EVENTS).where(execution_events.c.attempt == attempt)
        page = [_from_row(row) for row in (await session.execute(query)).mappings()]
        for event in page:
            yield event
        if len(page) < READ_PAGE_EVENTS:
            return
        after = page[-1].sequence


def _page(execution_id: UUID, after_sequence: int, limit: int) -> Select[Any]:
    return (
        select(execution_events)
        .where(execution_events.c.execution_id == execution_id, execution_events.c.sequence > after_sequence)
        .order_by(execution_events.c.sequence)
        .limit(limit)
    )


def _to_row(execution_id: UUID, event: Event) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(("stream", "attempt", "offset", "data", "state"))
    row |= {"execution_id": execution_id, "sequence": event.sequence, "time": event.time}
    match event.payload:
        case StateChanged(state, warnings):
            return row | {"kind": "state", "state": {**state, "warnings": list(warnings)}}
        case Output(stream, attempt, offset, data):
            return row | {"kind": "output", "stream": int(stream), "attempt": attempt, "offset": offset, "data": data}
        case Truncated(stream, attempt, offset):
            return row | {"kind": "truncated", "stream": int(stream), "attempt": attempt, "offset": offset}


def _from_row(row: RowMapping) -> Event:
    payload: Payload
    match row["kind"]:
        case "state":
            state = dict(row["state"])
            payload = StateChanged(state, tuple(state.pop("warnings", ())))
        case "output":
            payload = Output(OutputStream(row["stream"]), row["attempt"], row["offset"], row["data"])
        case _:
            payload = Truncated(OutputStream(row["stream"]), row["attempt"], row["offset"])
    return Event(row["sequence"], row["time"], payload)
