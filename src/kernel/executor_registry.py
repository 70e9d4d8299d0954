"""Who is known to run executions: a hint for those who wait and those who ring, never a decision.

Executors write themselves in (`executor.registration`). One that the registry does not know may claim all the same.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, select

from kernel.tables import executors


def is_live() -> ColumnElement[bool]:
    """A condition on `executors`: it was heard of within its lease and takes work."""
    return (executors.c.lease_expires_at > func.now()) & ~executors.c.stopping


def somebody_carries(wanted: ColumnElement[list[str]]) -> ColumnElement[bool]:
    """A condition on a column of tags: none are asked for, or a live executor carries them all."""
    carrier = select(executors.c.id).where(wanted.contained_by(executors.c.tags), is_live())
    return (func.cardinality(wanted) == 0) | carrier.exists()
