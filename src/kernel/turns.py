"""Whose turn it is among the executions of a runbook whose version queues them: one at a time, in order.

Whoever waits is rung for again by the sweep, so the next one starts within `kernel.lifecycle.RING_AGAIN_AFTER` of the
end of the one before.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, select

from kernel.execution.content import ConcurrencyPolicy
from kernel.execution.status import PENDING, RUNNING
from kernel.tables import executions, runbook_versions


def it_is_its_turn() -> ColumnElement[bool]:
    """A condition on `executions`: the version does not queue, or nothing is before this one."""
    return ~(_is_queued() & _has_others_before())


def _is_queued() -> ColumnElement[bool]:
    """Whether the version of an execution wants one execution of its runbook at a time, in order."""
    return (
        select(runbook_versions.c.version)
        .where(
            runbook_versions.c.runbook_id == executions.c.runbook_id,
            runbook_versions.c.version == executions.c.version,
            runbook_versions.c.settings["concurrency"].as_string() == ConcurrencyPolicy.QUEUE,
        )
        .exists()
    )


def _has_others_before() -> ColumnElement[bool]:
    """Whether another execution of the runbook runs, or waits and is older.

    Of two claims at once at most one finds nothing before it: the younger sees the elder waiting or running.
    """
    other = executions.alias("other")
    return (
        select(other.c.id)
        .where(
            other.c.runbook_id == executions.c.runbook_id,
            other.c.id != executions.c.id,
            (other.c.status == RUNNING) | ((other.c.status == PENDING) & (other.c.id < executions.c.id)),
        )
        .exists()
    )
