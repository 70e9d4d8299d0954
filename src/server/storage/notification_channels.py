"""Notification channels of teams, and their secrets as they lie in the database: sealed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.notification_tables import deliveries, notification_channel_secrets, notification_channels
from server.domain.delivery import PENDING, NotificationEvent
from server.domain.incident import IncidentSeverity
from server.domain.notification_channel import (
    ChannelContent,
    ChannelKind,
    ChannelSecret,
    NotificationChannel,
)


@dataclass(frozen=True, slots=True)
class SealedChannelSecret:
    """One of a channel's secrets; it ends by itself where it says when."""

    purpose: ChannelSecret
    key_id: str
    sealed: bytes = field(repr=False)
    expires_at: datetime | None = None


async def add(session: AsyncSession, channel: NotificationChannel) -> None:
    """Adds a channel; the constraint `uq_notification_channels_team_id_name` refuses a name that is taken."""
    await session.execute(
        insert(notification_channels).values(
            id=channel.id,
            team_id=channel.team_id,
            kind=channel.kind,
            created_by=channel.created_by,
            created_at=channel.created_at,
            **_moving(channel),
        )
    )


async def save(session: AsyncSession, channel: NotificationChannel) -> None:
    """Writes what an update changes; the caller holds the lock of the row."""
    query = update(notification_channels).where(notification_channels.c.id == channel.id)
    await session.execute(query.values(_moving(channel)))


async def find(session: AsyncSession, channel_id: UUID, *, lock: bool = False) -> NotificationChannel | None:
    """Answers one channel; with `lock`, nobody else changes it before this transaction ends."""
    query = select(notification_channels).where(notification_channels.c.id == channel_id)
    row = (await session.execute(query.with_for_update() if lock else query)).mappings().one_or_none()
    return _channel(row) if row else None


async def page(session: AsyncSession, team_id: UUID, *, before: UUID | None, limit: int) -> list[NotificationChannel]:
    """Answers a team's channels, newest first, that are older than `before`."""
    query = select(notification_channels).where(notification_channels.c.team_id == team_id)
    if before is not None:
        query = query.where(notification_channels.c.id < before)
    rows = await session.execute(query.order_by(notification_channels.c.id.desc()).limit(limit))
    return [_channel(row) for row in rows.mappings()]


async def named(session: AsyncSession, team_id: UUID, names: Sequence[str]) -> dict[str, NotificationChannel]:
    """Answers those of the team's channels that have one of these names."""
    query = select(notification_channels).where(
        notification_channels.c.team_id == team_id, notification_channels.c.name.in_(names)
    )
    return {row["name"]: _channel(row) for row in (await session.execute(query)).mappings()}


async def subscribed(
    session: AsyncSession, team_id: UUID, event: NotificationEvent, severity: IncidentSeverity | None
) -> list[UUID]:
    """Answers the ids of the enabled channels that want to hear of such an event."""
    query = select(notification_channels.c.id).where(
        notification_channels.c.team_id == team_id,
        notification_channels.c.enabled,
        notification_channels.c.events.contains([event.value]),
    )
    if severity is not None:  # SEV1, the worst, is the smallest
        least = notification_channels.c.min_severity
        query = query.where(or_(least.is_(None), least >= severity.value))
    return list((await session.execute(query.order_by(notification_channels.c.id))).scalars())


async def enabled_of(session: AsyncSession, team_id: UUID) -> list[UUID]:
    """Answers the ids of a team's enabled channels."""
    table = notification_channels
    query = select(table.c.id).where(table.c.team_id == team_id, table.c.enabled).order_by(table.c.id)
    return list((await session.execute(query)).scalars())


async def existing(session: AsyncSession, team_id: UUID, channel_ids: Collection[UUID]) -> set[UUID]:
    """Answers which of these are channels of the team."""
    if not channel_ids:
        return set()
    table = notification_channels
    query = select(table.c.id).where(table.c.team_id == team_id, table.c.id.in_(channel_ids))
    return set((await session.execute(query)).scalars())


async def remove(session: AsyncSession, channel_id: UUID, now: datetime) -> None:
    """Deletes a channel with its secrets; what waits for it is due at once, to be given up by whoever sends."""
    await session.execute(
        update(deliveries)
        .where(deliveries.c.channel_id == channel_id, deliveries.c.status == PENDING)
        .values(next_attempt_at=func.least(deliveries.c.next_attempt_at, now))
    )
    await session.execute(delete(notification_channels).where(notification_channels.c.id == channel_id))


async def put_secret(session: AsyncSession, channel_id: UUID, secret: SealedChannelSecret) -> None:
    """Stores a secret, new or instead of the one before."""
    new = postgresql.insert(notification_channel_secrets).values(
        channel_id=channel_id,
        purpose=secret.purpose,
        sealed=secret.sealed,
        key_id=secret.key_id,
        expires_at=secret.expires_at,
    )
    replaced = {name: new.excluded[name] for name in ("sealed", "key_id", "expires_at")}
    await session.execute(new.on_conflict_do_update(index_elements=["channel_id", "purpose"], set_=replaced))


async def secrets_of(session: AsyncSession, channel_id: UUID, now: datetime) -> dict[ChannelSecret, bytes]:
    """Answers the sealed secrets of a channel that have not ended."""
    table = notification_channel_secrets
    query = select(table.c.purpose, table.c.sealed).where(
        table.c.channel_id == channel_id, or_(table.c.expires_at.is_(None), table.c.expires_at > now)
    )
    return {ChannelSecret(row.purpose): row.sealed for row in await session.execute(query)}


async def disable(session: AsyncSession, channel_id: UUID, reason: str, now: datetime) -> NotificationChannel | None:
    """Disables a channel on the platform's own account; None where it is not there, or not enabled."""
    query = (
        update(notification_channels)
        .where(notification_channels.c.id == channel_id, notification_channels.c.enabled)
        .values(
            enabled=False,
            disabled_reason=reason,
            revision=notification_channels.c.revision + 1,
            updated_at=now,
        )
        .returning(*notification_channels.c)
    )
    row = (await session.execute(query)).mappings().one_or_none()
    return _channel(row) if row else None


def _channel(row: RowMapping) -> NotificationChannel:
    least = row["min_severity"]
    content = ChannelContent(
        name=row["name"],
        events=tuple(NotificationEvent(event) for event in row["events"]),
        min_severity=IncidentSeverity(least) if least else None,
        enabled=row["enabled"],
    )
    kept = ("id", "team_id", "target_hint", "disabled_reason", "revision", "created_by", "created_at", "updated_at")
    return NotificationChannel(kind=ChannelKind(row["kind"]), content=content, **{name: row[name] for name in kept})


def _moving(channel: NotificationChannel) -> dict[str, object]:
    """Answers what an update may change."""
    content = channel.content
    return {
        "name": content.name,
        "events": list(content.events),
        "min_severity": content.min_severity,
        "enabled": content.enabled,
        "target_hint": channel.target_hint,
        "disabled_reason": channel.disabled_reason,
        "revision": channel.revision,
        "updated_at": channel.updated_at,
    }
