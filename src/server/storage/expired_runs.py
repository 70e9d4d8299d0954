"""Runs of workflows that have outlived their retention, with their nodes; whoever takes some holds their rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.workflow_tables import workflow_node_runs, workflow_runs

GOES_ON = (
    select(workflow_node_runs.c.run_id)
    .where(workflow_node_runs.c.run_id == workflow_runs.c.id, workflow_node_runs.c.awaits.is_not(None))
    .exists()
)


def runs_due(age: timedelta, limit: int) -> Select[Any]:
    """Finds runs that ended longer ago than `age`, the oldest first; not one whose undoing is offered or goes on."""
    ended = workflow_runs.c.completed_at
    due = select(workflow_runs.c.id).where(ended.is_not(None), ended < func.now() - age, ~GOES_ON)
    return due.order_by(ended).limit(limit).with_for_update(skip_locked=True)


async def take(session: AsyncSession, due: Select[Any]) -> list[UUID]:
    """Locks what the query finds, until the end of the transaction; what others hold is left to them."""
    return list((await session.execute(due)).scalars())


async def remove(session: AsyncSession, taken: Sequence[UUID]) -> None:
    """Removes locked runs, with their nodes."""
    await session.execute(delete(workflow_runs).where(workflow_runs.c.id.in_(taken)))
