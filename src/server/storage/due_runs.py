"""Which runs have to be looked at: those whose time has come, and those whose work outside has ended unheard."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.execution.status import ExecutionStatus
from kernel.notification_tables import deliveries
from kernel.tables import executions
from kernel.workflow_tables import workflow_node_runs, workflow_runs, workflows
from server.domain.delivery import DeliveryStatus
from server.domain.workflow.record import Awaits

ENDED = [status for status in ExecutionStatus if status.ended]


def awake(limit: int) -> Select[Any]:
    """Finds runs whose time has come, the longest due first."""
    due = workflow_runs.c.wake_at
    return select(workflow_runs.c.id).where(due.is_not(None), due <= func.now()).order_by(due).limit(limit)


def unheard(limit: int) -> Select[Any]:
    """Finds runs one of whose nodes waits for an execution that has ended, or that is not kept any more."""
    waits = workflow_node_runs.c.awaits.is_not(None), workflow_node_runs.c.awaits == Awaits.EXECUTION
    return (
        select(workflow_node_runs.c.run_id)
        .outerjoin(executions, executions.c.id == workflow_node_runs.c.execution_id)
        .where(*waits, or_(executions.c.id.is_(None), executions.c.status.in_(ENDED)))
        .limit(limit)
    )


def answered(limit: int) -> Select[Any]:
    """Finds runs one of whose nodes waits for a word that was given."""
    waits = workflow_node_runs.c.awaits.is_not(None), workflow_node_runs.c.awaits == Awaits.DECISION
    return select(workflow_node_runs.c.run_id).where(*waits, workflow_node_runs.c.decision.is_not(None)).limit(limit)


def sent(limit: int) -> Select[Any]:
    """Finds runs one of whose nodes waits for deliveries none of which is on its way any more."""
    waits = workflow_node_runs.c.awaits.is_not(None), workflow_node_runs.c.awaits == Awaits.DELIVERY
    on_its_way = (
        select(deliveries.c.id)
        .where(
            deliveries.c.workflow_run_id == workflow_node_runs.c.run_id,
            deliveries.c.node == workflow_node_runs.c.name,
            deliveries.c.status == DeliveryStatus.PENDING,
        )
        .exists()
    )
    return select(workflow_node_runs.c.run_id).where(*waits, ~on_its_way).limit(limit)


def braked(limit: int) -> Select[Any]:
    """Finds runs that go on although so many of their workflow failed that it has stopped."""
    stopped = workflows.c.most_failed_runs > 0, workflows.c.failed_runs >= workflows.c.most_failed_runs
    return (
        select(workflow_runs.c.id)
        .join(workflows, workflows.c.id == workflow_runs.c.workflow_id)
        .where(*stopped, _unended(), workflow_runs.c.workflow_version == workflows.c.version)
        .limit(limit)
    )


async def unended_of(session: AsyncSession, workflow_id: UUID, version: int) -> list[UUID]:
    """Answers the runs of a version of a workflow that go on."""
    of_version = workflow_runs.c.workflow_id == workflow_id, workflow_runs.c.workflow_version == version
    return list((await session.execute(select(workflow_runs.c.id).where(*of_version, _unended()))).scalars())


async def unended_about(session: AsyncSession, incident_id: UUID) -> list[UUID]:
    """Answers the runs of an incident that go on."""
    about = workflow_runs.c.incident_id == incident_id
    return list((await session.execute(select(workflow_runs.c.id).where(about, _unended()))).scalars())


def _unended() -> ColumnElement[bool]:
    """A condition on runs in the words of the indexes of them."""
    return workflow_runs.c.status == literal_column("'RUNNING'")


async def due(session: AsyncSession, *, limit: int, besides: Collection[UUID] = ()) -> list[UUID]:
    """Answers runs to be looked at, each once; of each kind at most `limit`, and none of those in `besides`."""
    found: dict[UUID, None] = {}
    for query in (awake(limit), unheard(limit), answered(limit), sent(limit), braked(limit)):
        (run_id,) = query.selected_columns
        wanted = query.where(run_id.not_in(besides)) if besides else query
        found |= dict.fromkeys((await session.execute(wanted)).scalars())
    return list(found)
