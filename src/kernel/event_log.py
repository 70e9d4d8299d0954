"""The durable side of an execution's log: numbered rows, appended under a fence, read in pages.

Numbers come from whoever may write: the server while the execution is PENDING (under its row lock), the executor that
holds the epoch while it is RUNNING. So there are no holes, and a repeated append of the same events changes nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Insert,
    Integer,
    Select,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningInsert

from kernel.execution.event import Event, Output, OutputStream, Payload, StateChanged, Truncated
from kernel.execution_row import STATE_COLUMNS
from kernel.statement import Statement, Statements
from kernel.tables import execution_events, executions

READ_PAGE_EVENTS = 64
READ_PAGE_BYTES = 256 * 1024
"""A page ends with the event that reaches it: one reader costs at most this and a chunk, whatever the events hold."""

_APPENDED = ("sequence", "time", "kind", "stream", "attempt", "offset", "data")
"""The columns of what an executor appends, each of which is sent as one array, so that any batch is one statement."""

_NUMBERED = (execution_events.c.sequence, execution_events.c.time)


def _append_fenced() -> Select[Any]:
    held = (
        select(executions.c.id)
        .where(
            executions.c.id == bindparam("execution_id"),
            executions.c.epoch == bindparam("epoch"),
            executions.c.status == "RUNNING",
        )
        .with_for_update(read=True, of=executions)  # waits for a sweep that is taking it away, then sees it gone
        .cte("held")
    )
    arrays = [bindparam(name, type_=postgresql.ARRAY(execution_events.c[name].type)) for name in _APPENDED]
    batch = func.unnest(*arrays).table_valued(*_APPENDED, name="batch").render_derived()
    appended = (
        postgresql.insert(execution_events)
        .from_select(["execution_id", *_APPENDED], select(held.c.id, *batch.c).join_from(held, batch, true()))
        .on_conflict_do_nothing()
        .returning(execution_events.c.sequence)
        .cte("appended")
    )
    return select(select(held.c.id).exists().label("held")).add_cte(appended)


_APPEND_FENCED = Statement(_append_fenced())


async def append_fenced(session: Statements, execution_id: UUID, epoch: int, events: Sequence[Event]) -> bool:
    """Appends output that the holder of `epoch` numbered; False where it no longer holds it, and nothing was written.

    Repeating it with the same events changes nothing: after a lost answer, call it again. It is one statement, fence
    and all, so it may be a transaction of its own.
    """
    rows = [_to_row(execution_id, event) for event in events]
    arrays = {name: [row[name] for row in rows] for name in _APPENDED}
    values = {"execution_id": execution_id, "epoch": epoch, **arrays}
    answer = await _APPEND_FENCED.one_or_none(session, values)
    return answer is not None and answer["held"]


def _state_inserted(sequence: ColumnElement[int]) -> Insert:
    return insert(execution_events).values(
        execution_id=bindparam("log_of"),
        sequence=sequence,
        time=func.now(),
        kind=literal_column("'state'"),
        state=bindparam("told"),
    )


def log_begun(*along: CTE) -> ReturningInsert[Any, Any]:
    """Answers what appends the first event of an execution that `along` creates, in one statement with it: `begin_log`
    executes it."""
    return _state_inserted(literal_column("1")).add_cte(*along).returning(*_NUMBERED)


async def begin_log(
    session: Statements,
    begun: Statement,
    execution_id: UUID,
    state: Mapping[str, Any],
    *,
    warnings: Sequence[str] = (),
    along: Mapping[str, Any],
) -> Event:
    """Appends the first event by what `log_begun` answered; `along` are the values of what creates the execution."""
    return await _tell(session, begun, execution_id, StateChanged(dict(state), tuple(warnings)), along)


def state_appended(moved: CTE) -> CTE:
    """Answers what appends the state of `moved`, rows of `executions`, to their logs; its rows are those events.

    It looks for the last number before anybody's lock has been waited for. Where the log has grown meanwhile, which the
    condition of the move must exclude, the primary key refuses the statement.
    """
    last = select(func.coalesce(func.max(execution_events.c.sequence), 0)).where(
        execution_events.c.execution_id == moved.c.id
    )
    state = func.json_build_object(
        *(part for name in STATE_COLUMNS for part in (literal_column(f"'{name}'"), moved.c[name]))
    )
    new = select(moved.c.id, last.scalar_subquery() + 1, func.now(), literal_column("'state'"), state)
    names = ("execution_id", "sequence", "time", "kind", "state")
    kept = (execution_events.c.execution_id, *_NUMBERED, execution_events.c.state)
    return insert(execution_events).from_select(names, new).returning(*kept).cte("told")


def _append_state() -> ReturningInsert[Any, Any]:
    last = select(func.coalesce(func.max(execution_events.c.sequence), 0)).where(
        execution_events.c.execution_id == bindparam("log_of")
    )
    return _state_inserted(last.scalar_subquery() + 1).returning(*_NUMBERED)


_APPEND_STATE = Statement(_append_state())


async def append_state(
    session: AsyncSession, execution_id: UUID, state: Mapping[str, Any], *, warnings: Sequence[str] = ()
) -> Event:
    """Appends a change of state with the next number; the caller holds the row lock of the execution."""
    return await _tell(session, _APPEND_STATE, execution_id, StateChanged(dict(state), tuple(warnings)))


async def _tell(
    session: Statements,
    statement: Statement,
    execution_id: UUID,
    payload: StateChanged,
    along: Mapping[str, Any] | None = None,
) -> Event:
    values = {"log_of": execution_id, "told": _payload_row(payload)["state"], **(along or {})}
    (row,) = await statement.all(session, values)
    return Event(row["sequence"], row["time"], payload)


async def read_after(
    session: Statements, execution_id: UUID, after_sequence: int, *, limit: int = READ_PAGE_EVENTS
) -> list[Event]:
    """Answers the next events in order, at most `limit` and `READ_PAGE_BYTES`; empty where there are none yet."""
    values = {"log_of": execution_id, "after": after_sequence, "most": limit}
    return [_from_row(row) for row in await _READ_AFTER.all(session, values)]


async def read_attempt_output(session: Statements, execution_id: UUID, attempt: int) -> AsyncIterator[Event]:
    """Yields the output and truncations of one attempt, in order, a page at a time."""
    after = 0
    while True:
        values = {"log_of": execution_id, "after": after, "most": READ_PAGE_EVENTS, "of_attempt": attempt}
        page = [_from_row(row) for row in await _READ_ATTEMPT.all(session, values)]
        for event in page:
            yield event
        if len(page) < READ_PAGE_EVENTS:
            return
        after = page[-1].sequence


def _page() -> Select[Any]:
    return (
        select(execution_events)
        .where(execution_events.c.execution_id == bindparam("log_of"), execution_events.c.sequence > bindparam("after"))
        .order_by(execution_events.c.sequence)
        .limit(bindparam("most", type_=Integer))
    )


def _read_after() -> Select[Any]:
    candidates = _page().subquery()
    size = func.coalesce(func.octet_length(candidates.c.data), 0)  # known without reading the data
    before = func.sum(size).over(order_by=candidates.c.sequence) - size
    sized = select(candidates, before.label("bytes_before")).subquery()
    return select(sized).where(sized.c.bytes_before < READ_PAGE_BYTES).order_by(sized.c.sequence)


_READ_AFTER = Statement(_read_after())
_READ_ATTEMPT = Statement(_page().where(execution_events.c.attempt == bindparam("of_attempt")))


def _to_row(execution_id: UUID, event: Event) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(("stream", "attempt", "offset", "data", "state"))
    return (
        row
        | {"execution_id": execution_id, "sequence": event.sequence, "time": event.time}
        | _payload_row(event.payload)
    )


def _payload_row(payload: Payload) -> dict[str, Any]:
    match payload:
        case StateChanged(state, warnings):
            return {"kind": "state", "state": {**state, "warnings": list(warnings)}}
        case Output(stream, attempt, offset, data):
            return {"kind": "output", "stream": int(stream), "attempt": attempt, "offset": offset, "data": data}
        case Truncated(stream, attempt, offset):
            return {"kind": "truncated", "stream": int(stream), "attempt": attempt, "offset": offset}


def _from_row(row: Mapping[str, Any]) -> Event:
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
