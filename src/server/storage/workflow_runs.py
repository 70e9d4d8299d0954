"""Runs of workflows, and those of their nodes that are no longer PENDING."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, bindparam, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.workflow_tables import workflow_node_runs, workflow_runs
from server.domain.permission import Role
from server.domain.workflow.codec import definition_from_json, definition_to_json
from server.domain.workflow.definition import Definition, Event, Trigger
from server.domain.workflow.record import Awaits, Decision, NodeRun, WorkflowRun
from server.domain.workflow.run import NodeState, NodeStatus, RunStatus
from server.storage.newest import Listing

_GIVEN = (
    "id",
    "workflow_id",
    "workflow_version",
    "team_id",
    "incident_id",
    "event",
    "event_id",
    "triggered_by",
    "created_at",
    "deadline",
)
_MOVING = (
    "status",
    "problem",
    "stop_reason",
    "cancel_requested_at",
    "cancel_requested_by",
    "wake_at",
    "completed_at",
    "revision",
)
_STATE = ("status", "problem", "output", "started_at", "deadline", "due_at", "completed_at")

_WITHOUT_GRAPH = (
    workflow_runs.c.definition.op("||", return_type=JSONB)(literal_column("""'{"nodes": [], "edges": []}'::jsonb"""))
).label("definition")
_LISTING = Listing(
    workflow_runs,
    [_WITHOUT_GRAPH if column is workflow_runs.c.definition else column for column in workflow_runs.c],
    (("incident_id",), ("workflow_id",), ("team_id", "status"), ("team_id",), ("status",), ()),
)


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs; None everywhere means all of them."""

    team_ids: Collection[UUID] | None = None
    workflow_id: UUID | None = None
    incident_id: UUID | None = None
    status: RunStatus | None = None


async def find(session: AsyncSession, run_id: UUID, *, lock: bool = False) -> WorkflowRun | None:
    """Answers one run with its nodes; with `lock`, nobody else moves it before this transaction ends."""
    wanted = {"wanted": run_id}
    row = (await session.execute(_RUN_LOCKED if lock else _RUN, wanted)).mappings().one_or_none()
    # Also where there is none: both must take the same way.
    nodes = (await session.execute(_NODES, wanted)).mappings().all()
    if row is None:
        return None
    return replace(_run(row), nodes={node["name"]: _node(node) for node in nodes})


# Composed once: a run is moved many times, and composing a statement takes as long as its answer.
_RUN = select(workflow_runs).where(workflow_runs.c.id == bindparam("wanted"))
_RUN_LOCKED = _RUN.with_for_update()
_NODES = select(workflow_node_runs).where(workflow_node_runs.c.run_id == bindparam("wanted"))


async def page(session: AsyncSession, wanted: RunFilter, *, before: UUID | None, limit: int) -> list[WorkflowRun]:
    """Answers runs older than `before`, newest first, without their nodes.

    One whose definition cannot be read is listed without any, so that the others are.
    """
    rows = await session.execute(page_query(wanted, before=before, limit=limit))
    return [_listed(row) for row in rows.mappings()]


async def some(session: AsyncSession, run_ids: Collection[UUID]) -> list[WorkflowRun]:
    """Answers those of the runs that there are, without their nodes."""
    rows = await session.execute(select(*_LISTING.columns).where(workflow_runs.c.id.in_(run_ids)))
    return [_listed(row) for row in rows.mappings()]


def page_query(wanted: RunFilter, *, before: UUID | None, limit: int) -> Select[Any]:
    values = {"workflow_id": wanted.workflow_id, "incident_id": wanted.incident_id, "status": wanted.status}
    return _LISTING.page(values, team_ids=wanted.team_ids, before=before, limit=limit)


async def add(session: AsyncSession, run: WorkflowRun) -> bool:
    """Adds a run; False where its event has started its workflow before, and then there is one."""
    row = {name: getattr(run, name) for name in (*_GIVEN, *_MOVING)}
    row |= {"trigger": dict(run.trigger), "definition": definition_to_json(run.definition)}
    added = insert(workflow_runs).values(**row).on_conflict_do_nothing(index_elements=["workflow_id", "event_id"])
    return await session.scalar(added.returning(workflow_runs.c.id)) is not None


async def save(session: AsyncSession, run: WorkflowRun, changed: Iterable[NodeRun], *, new: Collection[str]) -> None:
    """Writes what moves of a run, and nodes of it; the caller holds the lock of its row.

    Those named in `new` must not be there yet: a node begins once, or the transaction fails.
    """
    await session.execute(_SAVE_RUN, {"wanted": run.id, **{f"new_{name}": getattr(run, name) for name in _MOVING}})
    rows = {node.name: _node_row(run.id, node) for node in changed}
    if added := [row for name, row in rows.items() if name in new]:
        await session.execute(insert(workflow_node_runs), added)
    for name, row in rows.items():
        if name not in new:
            await session.execute(_SAVE_NODE, {f"new_{column}": value for column, value in row.items()})


_SAVE_RUN = (
    update(workflow_runs)
    .where(workflow_runs.c.id == bindparam("wanted"))
    .values({name: bindparam(f"new_{name}") for name in _MOVING})
)
_SAVE_NODE = (
    update(workflow_node_runs)
    .where(workflow_node_runs.c.run_id == bindparam("new_run_id"), workflow_node_runs.c.name == bindparam("new_name"))
    .values({c.name: bindparam(f"new_{c.name}") for c in workflow_node_runs.c if not c.primary_key})
)


async def begun_about(session: AsyncSession, workflow_id: UUID, incident_id: UUID, since: datetime) -> int:
    """Answers how many runs of a workflow about an incident began `since` then."""
    of_both = workflow_runs.c.incident_id == incident_id, workflow_runs.c.workflow_id == workflow_id
    query = select(func.count()).select_from(workflow_runs).where(*of_both, workflow_runs.c.created_at >= since)
    return await session.scalar(query) or 0


async def count_active(session: AsyncSession, team_id: UUID, most: int) -> int:
    """Answers how many runs of a team go on, counting no further than `most`; others may start one meanwhile."""
    of_team = workflow_runs.c.team_id == team_id, workflow_runs.c.status == RunStatus.RUNNING
    active = select(workflow_runs.c.id).where(*of_team)
    return await session.scalar(select(func.count()).select_from(active.limit(most).subquery())) or 0


async def request_wake(session: AsyncSession, run_ids: Collection[UUID], at: datetime) -> None:
    """Makes those of the runs that still go on due at `at`, or when they were due before.

    One that has ended meanwhile would be due for ever: nobody moves it any more. Locks come in one order, because
    whoever handles another event of the same incident wants the same ones.
    """
    if run_ids:
        going_on = workflow_runs.c.id.in_(run_ids), workflow_runs.c.status == RunStatus.RUNNING
        locked = select(workflow_runs.c.id).where(*going_on).order_by(workflow_runs.c.id).with_for_update()
        due = list((await session.execute(locked)).scalars())
        sooner = func.least(func.coalesce(workflow_runs.c.wake_at, at), at)
        await session.execute(update(workflow_runs).where(workflow_runs.c.id.in_(due)).values(wake_at=sooner))


def _run(row: RowMapping) -> WorkflowRun:
    return _with_definition(row, definition_from_json(row["definition"]))


def _listed(row: RowMapping) -> WorkflowRun:
    try:
        return _run(row)
    except Exception:  # noqa: BLE001 - whatever stands there: it is one run of many
        return _with_definition(row, Definition("", Trigger(Event(row["event"])), (), ()))


def _with_definition(row: RowMapping, definition: Definition) -> WorkflowRun:
    kept: dict[str, Any] = {name: row[name] for name in (*_GIVEN, *_MOVING, "trigger")}
    kept |= {"event": Event(row["event"]), "status": RunStatus(row["status"]), "definition": definition}
    return WorkflowRun(**kept)


def _node(row: RowMapping) -> NodeRun:
    state = {name: row[name] for name in _STATE} | {"status": NodeStatus(row["status"])}
    decision = row["decision"]
    return NodeRun(
        name=row["name"],
        state=NodeState(**state),
        awaits=Awaits(row["awaits"]) if row["awaits"] else None,
        execution_id=row["execution_id"],
        question=row["question"],
        role=Role[row["role"]] if row["role"] else None,
        decision=None if decision is None else _decision(decision),
    )


def _node_row(run_id: UUID, node: NodeRun) -> dict[str, Any]:
    state = {name: getattr(node.state, name) for name in _STATE}
    return state | {
        "run_id": run_id,
        "name": node.name,
        "output": dict(node.state.output),
        "awaits": node.awaits if node.state.status.active else None,
        "execution_id": node.execution_id,
        "question": node.question,
        "role": node.role.name if node.role else None,
        "decision": None if node.decision is None else decision_to_json(node.decision),
    }


def decision_to_json(decision: Decision) -> dict[str, Any]:
    return {**asdict(decision), "by": str(decision.by), "at": decision.at.isoformat()}


def _decision(kept: Mapping[str, Any]) -> Decision:
    return Decision(kept["approved"], kept["comment"], UUID(kept["by"]), datetime.fromisoformat(kept["at"]))
