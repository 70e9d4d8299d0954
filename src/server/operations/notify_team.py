"""Tells a team's channels of what happened: one delivery for each that subscribes to it, in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.domain.delivery import NewDelivery, NotificationEvent
from server.domain.incident import IncidentSeverity
from server.storage import deliveries, notification_channels


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened in a team, and what is said of it.

    `dedupe_key` names it among all that ever happens, in at most 250 characters, such as `execution:{id}:failed`:
    whoever tells of it twice is heard once. Of what has a severity, channels with a least severity hear where it is as
    bad; of what has none, all hear. Neither text nor `data` may have a secret in it.
    """

    dedupe_key: str
    team_id: UUID
    event: NotificationEvent
    subject: str
    body: str
    severity: IncidentSeverity | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    workflow_run_id: UUID | None = None
    node: str | None = None
    incident_id: UUID | None = None
    execution_id: UUID | None = None


async def notify_team(session: AsyncSession, happening: Happening, now: datetime) -> list[UUID]:
    """Makes a delivery for each enabled channel of the team that subscribes; answers their ids, often none.

    Belongs into the transaction of what happened, so that neither is there without the other.
    """
    channels = await notification_channels.subscribed(session, happening.team_id, happening.event, happening.severity)
    return await deliveries.add_deliveries(session, [_to(channel, happening) for channel in channels], now)


def _to(channel_id: UUID, happening: Happening) -> NewDelivery:
    return NewDelivery(
        dedupe_key=f"{happening.dedupe_key}:to:{channel_id}",
        team_id=happening.team_id,
        event=happening.event,
        subject=happening.subject,
        body=happening.body,
        channel_id=channel_id,
        data=happening.data,
        workflow_run_id=happening.workflow_run_id,
        node=happening.node,
        incident_id=happening.incident_id,
        execution_id=happening.execution_id,
    )
