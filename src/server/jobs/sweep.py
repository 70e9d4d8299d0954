"""The recovery sweeps: attempts whose executor is lost are ended, executions that nobody claimed are rung for again.

The registry of executors is swept, too.
"""

from __future__ import annotations

import random
from datetime import timedelta

import structlog

from kernel import lifecycle
from kernel.database import Sessions, transaction
from kernel.lifecycle import Moved
from kernel.team_stream import Thing
from server.operations.announce import Announcer, ring_next
from server.storage import executors

log = structlog.get_logger()

FORGET_AFTER = timedelta(hours=1)
"""How long a lost executor is still shown, for whoever looks for it."""


async def end_lost_attempts(make_session: Sessions, announcer: Announcer) -> int:
    """Ends every attempt whose lease ran out, each in a transaction of its own; answers how many."""
    ended = 0
    while (moved := await _expire_one(make_session)) is not None:
        ended += 1
        log.warning("executor_lost", execution_id=str(moved.execution_id), status=moved.status)
        await announcer.execution_moved(moved.execution_id, [moved.event])
        await announcer.team_changed(moved.team_id, Thing.EXECUTION, moved.execution_id)
        if moved.status.ended:
            if moved.workflow_run_id is not None:
                await announcer.run_waits(moved.workflow_run_id)
            await ring_next(make_session, announcer, moved.execution_id)
    return ended


async def ring_again(make_session: Sessions, announcer: Announcer) -> int:
    """Rings for what waits and was not claimed; answers how many. A deaf Redis ends the round: the next one rings."""
    rung = 0
    async with transaction(make_session) as tx:
        due = await lifecycle.to_ring_again(tx.session)
    for waiting in due:
        if not await announcer.execution_waits(waiting):
            break
        rung += 1
    return rung


async def forget_executors(make_session: Sessions) -> int:
    """Removes executors that died long ago from the registry; answers how many."""
    async with transaction(make_session) as tx:
        forgotten = await executors.forget_silent(tx.session, since=FORGET_AFTER)
    for executor_id in forgotten:
        log.info("executor_forgotten", executor_id=executor_id)
    return len(forgotten)


async def _expire_one(make_session: Sessions) -> Moved | None:
    async with transaction(make_session) as tx:
        return await lifecycle.expire(tx.session, jitter=random.random())  # noqa: S311 - spreads retries, guards nothing
