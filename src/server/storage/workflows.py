"""Workflows in their present versions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, delete, func, insert, literal_column, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.tables import teams
from kernel.workflow_tables import workflows
from server.domain.workflow.codec import definition_from_json, definition_to_json
from server.domain.workflow.definition import Definition, Event, Trigger
from server.domain.workflow.workflow import Workflow
from server.storage.newest import Listing

_WITHOUT_GRAPH = (
    workflows.c.definition.op("||", return_type=JSONB)(literal_column("""'{"nodes": [], "edges": []}'::jsonb"""))
).label("definition")
_LISTING = Listing(
    workflows,
    [_WITHOUT_GRAPH if column is workflows.c.definition else column for column in workflows.c],
    (("team_id", "event"), ("team_id",), ("event",), ()),
)


@dataclass(frozen=True, slots=True)
class WorkflowFilter:
    """Which workflows; None everywhere means all of them."""

    team_ids: Collection[UUID] | None = None
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class UnreadableWorkflow:
    """A workflow whose definition cannot be read, as one that a newer version of the platform wrote.

    `listed` is the workflow without its definition, as in lists.
    """

    listed: Workflow
    error: Exception


async def find(session: AsyncSession, workflow_id: UUID, *, lock: bool = False) -> Workflow | UnreadableWorkflow | None:
    """Answers one workflow; with `lock`, nobody else changes it before this transaction ends."""
    query = select(workflows).where(workflows.c.id == workflow_id)
    row = (await session.execute(query.with_for_update() if lock else query)).mappings().one_or_none()
    return _readable(row) if row else None


async def page(session: AsyncSession, wanted: WorkflowFilter, *, before: UUID | None, limit: int) -> list[Workflow]:
    """Answers workflows older than `before`, newest first, without their nodes and edges.

    One that cannot be read is listed as well, so that the others are, and somebody can delete it.
    """
    rows = await session.execute(page_query(wanted, before=before, limit=limit))
    return [_listed(row) for row in rows.mappings()]


def page_query(wanted: WorkflowFilter, *, before: UUID | None, limit: int) -> Select[Any]:
    return _LISTING.page({"event": wanted.event}, team_ids=wanted.team_ids, before=before, limit=limit)


async def started_by(
    session: AsyncSession, team_id: UUID, event: Event, *, only: Collection[UUID] | None = None
) -> list[Workflow | UnreadableWorkflow]:
    """Answers the enabled workflows of a team that an event may start, the oldest first; of these, `only` some."""
    query = select(workflows).where(
        workflows.c.team_id == team_id, workflows.c.event == event, workflows.c.enabled.is_(True)
    )
    if only is not None:
        query = query.where(workflows.c.id.in_(only))
    return [_readable(row) for row in (await session.execute(query.order_by(workflows.c.id))).mappings()]


async def count_of_team(session: AsyncSession, team_id: UUID) -> int:
    """Answers how many a team has; exact until this transaction ends, for whoever adds one asks here first."""
    await session.execute(select(teams.c.id).where(teams.c.id == team_id).with_for_update(key_share=True))
    return await session.scalar(select(func.count()).select_from(workflows).where(workflows.c.team_id == team_id)) or 0


async def add(session: AsyncSession, workflow: Workflow) -> None:
    fixed = {name: getattr(workflow, name) for name in ("id", "team_id", "created_by", "created_at")}
    await session.execute(insert(workflows).values(**fixed, **_changing(workflow)))


async def save(session: AsyncSession, workflow: Workflow) -> None:
    """Writes what can change; the caller holds the lock of the row."""
    await session.execute(update(workflows).where(workflows.c.id == workflow.id).values(**_changing(workflow)))


async def remove(session: AsyncSession, workflow_id: UUID) -> None:
    await session.execute(delete(workflows).where(workflows.c.id == workflow_id))


async def count_run(session: AsyncSession, workflow_id: UUID, version: int, *, failed: bool) -> int:
    """Counts the end of a run of this version, one that failed or one that completed.

    Answers how many failed without one that completed between; 0 where the workflow has changed meanwhile, or is gone.
    """
    after = workflows.c.failed_runs + 1 if failed else 0
    changes = workflows.c.id == workflow_id, workflows.c.version == version
    query = update(workflows).where(*changes).values(failed_runs=after).returning(workflows.c.failed_runs)
    if not failed:
        query = query.where(workflows.c.failed_runs > 0)
    return await session.scalar(query) or 0


async def failed_runs(session: AsyncSession, workflow_id: UUID, version: int) -> int:
    query = select(workflows.c.failed_runs).where(workflows.c.id == workflow_id, workflows.c.version == version)
    return await session.scalar(query) or 0


def _changing(workflow: Workflow) -> dict[str, Any]:
    names = ("name", "description", "enabled", "version", "failed_runs", "revision", "updated_at")
    return {
        **{name: getattr(workflow, name) for name in names},
        "event": workflow.definition.trigger.event,
        "most_failed_runs": workflow.definition.brake.failed_runs if workflow.definition.brake else 0,
        "definition": definition_to_json(workflow.definition),
    }


def _readable(row: RowMapping) -> Workflow | UnreadableWorkflow:
    try:
        return _with_definition(row, definition_from_json(row["definition"]))
    except Exception as error:  # noqa: BLE001 - whatever stands there: it is one workflow of many
        nothing = Definition(row["name"], Trigger(Event(row["event"])), (), ())
        return UnreadableWorkflow(_with_definition(row, nothing), error)


def _listed(row: RowMapping) -> Workflow:
    found = _readable(row)
    return found.listed if isinstance(found, UnreadableWorkflow) else found


def _with_definition(row: RowMapping, definition: Definition) -> Workflow:
    kept = {name: value for name, value in row.items() if name not in {"name", "event", "most_failed_runs"}}
    return Workflow(**{**kept, "definition": definition})
