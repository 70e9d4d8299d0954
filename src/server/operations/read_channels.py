"""Reads notification channels and deliveries, each caller those of their teams. Nothing here opens a target."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from server.domain.delivery import OF_INCIDENTS, Delivery, DeliveryStatus
from server.domain.notification_channel import NotificationChannel
from server.domain.page import Page, PageRequest
from server.domain.permission import Call, Role, not_found
from server.domain.violation import Violations, require_uuid
from server.operations.administer_teams import load_team
from server.operations.environment import Environment
from server.storage import deliveries, notification_channels
from server.storage.deliveries import DeliveryFilter


@dataclass(frozen=True, slots=True)
class DeliveryQuery:
    """Which deliveries, as sent; empty everywhere means all of them."""

    team_id: str
    channel_id: str
    status: str
    workflow_run_id: str
    incident_id: str


async def load_channel(
    session: AsyncSession, call: Call, channel_id: UUID, *, lock: bool = False
) -> NotificationChannel:
    """Answers a channel that the caller may use as this RPC does; with `lock`, nobody else changes it meanwhile.

    Who may not is refused before: a lock that is waited for tells that there is something.
    """
    channel = await notification_channels.find(session, channel_id)
    if channel is None:
        raise not_found("notification channel")
    call.require(channel.team_id, "notification channel")
    if lock:
        channel = await notification_channels.find(session, channel_id, lock=True)
        if channel is None:
            raise not_found("notification channel")
    return channel


async def get_channel(env: Environment, call: Call, channel_id: str) -> NotificationChannel:
    wanted = require_uuid("channel_id", channel_id)
    async with env.sessions() as session:
        return await load_channel(session, call, wanted)


async def list_channels(env: Environment, call: Call, team_id: str, request: PageRequest) -> Page[NotificationChannel]:
    wanted = require_uuid("team_id", team_id)
    cursor = env.pager.open(call.method, {"team_id": team_id}, request)
    before = UUID(cursor.position) if cursor.position else None
    async with env.sessions() as session:
        await load_team(session, call, wanted)
        found = await notification_channels.page(session, wanted, before=before, limit=cursor.size + 1)
    return cursor.page(found, lambda channel: channel.id)


async def load_delivery(session: AsyncSession, call: Call, delivery_id: UUID, *, lock: bool = False) -> Delivery:
    """As `load_channel`."""
    delivery = await deliveries.find(session, delivery_id)
    if delivery is None:
        raise not_found("delivery")
    call.require(delivery.team_id, "delivery")
    if lock:
        delivery = await deliveries.find(session, delivery_id, lock=True)
        if delivery is None:
            raise not_found("delivery")
    return delivery


async def list_deliveries(env: Environment, call: Call, query: DeliveryQuery, request: PageRequest) -> Page[Delivery]:
    """Lists the deliveries that the caller may see, newest first."""
    violations = Violations()
    team = violations.optional_uuid("team_id", query.team_id)
    wanted = DeliveryFilter(
        team_ids=[team] if team else call.visible_teams(),
        channel_id=violations.optional_uuid("channel_id", query.channel_id),
        status=DeliveryStatus.__members__.get(query.status),
        workflow_run_id=violations.optional_uuid("workflow_run_id", query.workflow_run_id),
        incident_id=violations.optional_uuid("incident_id", query.incident_id),
    )
    if query.status and wanted.status is None:
        violations.add("status", "must be one of " + ", ".join(DeliveryStatus))
    violations.raise_if_any()
    filters = {name: getattr(query, name) for name in DeliveryQuery.__slots__}
    cursor = env.pager.open(call.method, filters, request)
    if team:
        call.require(team, "team")
    before = UUID(cursor.position) if cursor.position else None
    async with env.sessions() as session:
        found = await deliveries.page(session, wanted, before=before, limit=cursor.size + 1)
    return cursor.page([_shown_to(call, delivery) for delivery in found], lambda delivery: delivery.id)


def _shown_to(call: Call, delivery: Delivery) -> Delivery:
    """Answers a delivery without its subject where that is an incident's title, and the caller may read no incident."""
    role = call.role_in(delivery.team_id)
    may_read = role is not None and role >= Role.RESPONDER
    return delivery if may_read or delivery.event not in OF_INCIDENTS else replace(delivery, subject="")
