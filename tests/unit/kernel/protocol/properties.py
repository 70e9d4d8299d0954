"""What must hold in every world and over every move, each as a sentence; `broken` answers the first that does not.

One thing cannot be had: whoever is frozen past the end of its lease has no chance to kill its script, which runs on
until its executor wakes (`Held.overslept`). What holds even then is that nothing it writes touches a row (the fence),
and that it started under an attempt that was recorded, once.
"""

from __future__ import annotations

from itertools import pairwise

from kernel.execution.status import CANCELLED, MOVES, PENDING, RUNNING
from tests.unit.kernel.protocol.world import Executor, Phase, World


def broken(before: World, after: World) -> str | None:
    for index in range(len(after.rows)):
        moved = before.rows[index] is not after.rows[index]
        changed = moved or before.starts is not after.starts
        if changed and (found := _broken_row(before, after, index) or _broken_log(after, index)):
            return found
        if (moved or before.executors is not after.executors) and (found := _broken_scripts(after, index)):
            return found
    for executor in after.executors:
        call = executor.held and executor.held.call
        if call and call.kind == "append" and call.answer and not call.answer[0]:
            return "output was answered as kept, and its number holds something else"
    queued = [row for row in after.rows if row.status is RUNNING]
    if len(queued) > 1 and any(row.queues for row in queued[1:]):
        return "an execution that queues runs beside an earlier one"
    return None


def _broken_row(before: World, after: World, index: int) -> str | None:
    was, row = before.rows[index], after.rows[index]
    if was.status.ended and was != row:
        return "an ended execution changed"
    if was.status is not row.status and row.status not in MOVES[was.status]:
        return f"{was.status} moved to {row.status}"
    if not after.starts[index] <= row.attempt <= row.max_attempts:
        return "more starts than recorded attempts, or more attempts than allowed"
    if row.epoch < was.epoch or row.attempt < was.attempt:
        return "an epoch or an attempt went back"
    if was.cancel_requested and row.status is RUNNING and row.attempt > was.attempt:
        return "an attempt began after somebody asked to cancel"
    return None


def _broken_log(after: World, index: int) -> str | None:
    row = after.rows[index]
    if "hole" in row.log:
        return "the log has a hole"
    states = [entry for entry in row.log if not entry.startswith("output")]
    if states[0] != PENDING or states[-1] != row.status:
        return "the log does not tell of the last change of state"
    if any(new not in MOVES[type(row.status)(old)] for old, new in pairwise(states)):
        return "the log tells of a change of state that there is not"
    if row.status.ended and row.log[-1] != row.status:
        return "something follows the terminal snapshot"
    attempt = 0
    for entry in row.log:
        attempt += entry == RUNNING
        if entry.startswith("output") and entry != f"output {attempt}":
            return "output stands in the log of an attempt that did not write it"
    return None


def _broken_scripts(after: World, index: int) -> str | None:
    row = after.rows[index]
    alive = [e.held for e in after.executors if e.held is not None and _runs(e, index)]
    punctual = [held for held in alive if not held.overslept]
    if len(punctual) > 1:
        return "two scripts of one execution are alive"
    if row.status is CANCELLED and punctual:
        return "CANCELLED, and its script is alive"
    if any(row.status is not RUNNING or row.epoch != held.epoch for held in punctual):
        return "a script is alive that PostgreSQL has given up"
    if len({held.epoch for held in alive}) < len(alive):
        return "one attempt was started twice"
    return None


def _runs(executor: Executor, index: int) -> bool:
    held = executor.held
    return held is not None and held.execution == index and held.phase is Phase.ALIVE
