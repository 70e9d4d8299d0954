"""What surrounds a run of a workflow, in one statement: its team, its incident with the service, who started it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.incident_tables import incidents
from kernel.tables import services, teams, users
from server.domain.incident import Incident
from server.storage.incidents import incident_of


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Names, empty where there is nobody; the incident is as it is, without its impacts and updates."""

    team: str
    somebody: str
    incident: Incident | None
    service: tuple[UUID, str] | None


async def neighbours(
    session: AsyncSession, *, team_id: UUID, user_id: UUID | None, incident_id: UUID | None
) -> Neighbours:
    wanted = {"team_id": team_id, "user_id": user_id, "incident_id": incident_id}
    row = (await session.execute(_NEIGHBOURS, wanted)).mappings().one_or_none()
    if row is None:
        return Neighbours("", "", None, None)
    kept = {column.name: row[f"incident_{column.name}"] for column in incidents.c}
    return Neighbours(
        row["team"],
        row["somebody"] or "",
        incident_of(kept) if kept["id"] is not None else None,
        (row["service_id"], row["service"]) if row["service_id"] is not None else None,
    )


_NEIGHBOURS = (
    select(
        teams.c.name.label("team"),
        users.c.display_name.label("somebody"),
        services.c.id.label("service_id"),
        services.c.name.label("service"),
        *(column.label(f"incident_{column.name}") for column in incidents.c),
    )
    .select_from(
        teams.outerjoin(users, users.c.id == bindparam("user_id", type_=Uuid))
        .outerjoin(incidents, incidents.c.id == bindparam("incident_id", type_=Uuid))
        .outerjoin(services, services.c.id == incidents.c.service_id)
    )
    .where(teams.c.id == bindparam("team_id"))
)
