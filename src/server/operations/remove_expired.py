"""Removes what has outlived its retention: logs, then records of executions, and request ids. The audit stays.

Everything goes in batches, each a short transaction of its own, with a pause as long as the batch took: nobody waits
for it, and whatever it costs, it leaves half of the time to others. Several processes at once share the work, for each
skips what another has locked. Every batch leaves a state that the next one starts from, so a round that is cut off
anywhere is carried on by the next one, here or elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from time import monotonic

import structlog

from kernel.database import Sessions, transaction
from server.domain.retention import Retention
from server.storage import expired_executions, expired_runs, incident_events, request_ids

log = structlog.get_logger()

LOGS_A_BATCH = 200
EVENTS_A_BATCH = 1000
BYTES_A_BATCH = 8 * 1024 * 1024
"""A batch of events ends with the one that reaches it, so it is at most a chunk more."""
RECORDS_A_BATCH = 50
"""Each has at most some 256 KiB of parameters and kept output."""
REQUEST_IDS_A_BATCH = 1000
BATCHES_A_ROUND = 50
"""Then the round ends, so that a process that shall stop need not break it off; the next one begins a second later."""
SHORTEST_PAUSE_SECONDS = 0.01


async def expire_logs(make_session: Sessions, retention: Retention) -> int:
    """Marks the logs that are due, so that nobody is shown a log that is being removed; answers how many."""
    if (age := retention.of_any_log) is None:
        return 0
    expired = await in_batches(lambda: _expire_batch(make_session, age))
    if expired:
        log.info("logs_expired", logs=expired)
    return expired


async def remove_expired_logs(make_session: Sessions) -> int:
    """Removes the events of logs that have expired; answers how many its batches took, a long one several times."""
    return await in_batches(lambda: _remove_events_batch(make_session))


async def remove_old_executions(make_session: Sessions, retention: Retention) -> int:
    """Removes executions that are due and whose log is gone; answers how many."""
    if (age := retention.executions) is None:
        return 0
    removed = await in_batches(lambda: _remove_records_batch(make_session, age))
    if removed:
        log.info("executions_removed", executions=removed)
    return removed


async def remove_old_runs(make_session: Sessions, retention: Retention) -> int:
    """Removes runs that are due, and what happened to incidents as long ago; answers how many runs."""
    if (age := retention.executions) is None:
        return 0
    await in_batches(lambda: _forget_events_batch(make_session, age))
    removed = await in_batches(lambda: _remove_runs_batch(make_session, age))
    if removed:
        log.info("runs_removed", runs=removed)
    return removed


async def forget_request_ids(make_session: Sessions, retention: Retention) -> int:
    """Removes request ids that are due; answers how many. Whoever uses one of them again makes a new call."""
    if (age := retention.request_ids) is None:
        return 0
    return await in_batches(lambda: _forget_batch(make_session, age))


async def _expire_batch(make_session: Sessions, age: timedelta) -> int:
    async with transaction(make_session) as tx:
        taken = await expired_executions.take(tx.session, expired_executions.logs_due(age, LOGS_A_BATCH))
        if taken:
            await expired_executions.expire_logs(tx.session, taken)
    return len(taken)


async def _remove_events_batch(make_session: Sessions) -> int:
    async with transaction(make_session) as tx:
        taken = await expired_executions.take(tx.session, expired_executions.logs_to_remove(LOGS_A_BATCH))
        if taken:
            await expired_executions.remove_events(tx.session, taken, rows=EVENTS_A_BATCH, size=BYTES_A_BATCH)
    return len(taken)


async def _remove_records_batch(make_session: Sessions, age: timedelta) -> int:
    async with transaction(make_session) as tx:
        taken = await expired_executions.take(tx.session, expired_executions.records_due(age, RECORDS_A_BATCH))
        if taken:
            await expired_executions.remove_records(tx.session, taken)
    return len(taken)


async def _remove_runs_batch(make_session: Sessions, age: timedelta) -> int:
    async with transaction(make_session) as tx:
        taken = await expired_runs.take(tx.session, expired_runs.runs_due(age, RECORDS_A_BATCH))
        if taken:
            await expired_runs.remove(tx.session, taken)
    return len(taken)


async def _forget_events_batch(make_session: Sessions, age: timedelta) -> int:
    async with transaction(make_session) as tx:
        return await incident_events.forget(tx.session, age, EVENTS_A_BATCH)


async def _forget_batch(make_session: Sessions, age: timedelta) -> int:
    async with transaction(make_session) as tx:
        return await request_ids.forget(tx.session, older_than=age, limit=REQUEST_IDS_A_BATCH)


async def in_batches(batch: Callable[[], Awaitable[int]]) -> int:
    """Repeats `batch` until it finds nothing, or for a round; answers the sum."""
    done = 0
    for _ in range(BATCHES_A_ROUND):
        began = monotonic()
        found = await batch()
        done += found
        if not found:
            break
        await asyncio.sleep(max(SHORTEST_PAUSE_SECONDS, monotonic() - began))
    return done
