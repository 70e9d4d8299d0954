"""Reads what templates and conditions speak of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.domain.workflow.context import Context, build_context, incident_facts
from server.domain.workflow.definition import Event, Json
from server.domain.workflow.record import COMPENSATION, NodeRun, WorkflowRun
from server.storage.surroundings import neighbours


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything that a context has besides nodes."""

    event: Event
    by: str
    then: Mapping[str, Json] | None
    """The incident as it was."""
    now: Mapping[str, Json] | None
    """The incident as it is."""
    service: tuple[UUID, str] | None
    team: tuple[UUID, str]

    def as_it_was(self) -> Surroundings:
        """Answers the same, with the incident as if it were still as it was."""
        return replace(self, now=self.then)

    def context(self, nodes: Mapping[str, NodeRun]) -> Context:
        known = {name: node for name, node in nodes.items() if name != COMPENSATION}
        return build_context(
            event=self.event,
            by=self.by,
            incident_then=self.then,
            incident_now=self.now,
            service=self.service,
            team=self.team,
            nodes={name: node.state for name, node in known.items()},
            executions={name: node.execution_id for name, node in known.items() if node.execution_id is not None},
        )


async def surroundings_of_run(session: AsyncSession, run: WorkflowRun) -> Surroundings:
    then = run.trigger.get("incident")
    return await surroundings(
        session,
        team_id=run.team_id,
        event=run.event,
        by=run.triggered_by,
        incident_id=run.incident_id,
        then=then if isinstance(then, Mapping) else None,
    )


async def surroundings(
    session: AsyncSession,
    *,
    team_id: UUID,
    event: Event,
    by: UUID | None,
    incident_id: UUID | None,
    then: Mapping[str, Json] | None,
) -> Surroundings:
    """Reads what surrounds something that happened; `then` is the incident as it was."""
    found = await neighbours(session, team_id=team_id, user_id=by, incident_id=incident_id)
    return Surroundings(
        event=event,
        by=found.somebody,
        then=then,
        now=None if found.incident is None else incident_facts(found.incident),
        service=found.service,
        team=(team_id, found.team),
    )
