"""Changes and deletes notification channels, and gives them new signing secrets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.exc import IntegrityError

from kernel.database import constraint_of
from kernel.errors import FailedPrecondition
from server.domain.channel_target import check_target, hint_of
from server.domain.etag import require_etag
from server.domain.notification_channel import (
    FORMER_SECRET_SIGNS_FOR,
    ChannelKind,
    ChannelSecret,
    NotificationChannel,
    check_name,
    checked_events,
    checked_severity,
    context_of,
    new_signing_secret,
)
from server.domain.permission import Call
from server.domain.violation import Violations, require_uuid
from server.operations.change import Change, change
from server.operations.create_channel import ChannelDraft, ChannelKeys, name_taken
from server.operations.environment import Environment
from server.operations.read_channels import load_channel
from server.storage import notification_channels

UPDATABLE = ("name", "target", "events", "min_severity", "enabled")


@dataclass(frozen=True, slots=True)
class ChannelUpdate:
    """An update as sent: the channel with new values, and which of them count."""

    channel_id: str
    draft: ChannelDraft
    etag: str
    paths: Sequence[str]


@dataclass(frozen=True, slots=True)
class SecretRotation:
    """A channel with its new signing secret."""

    channel: NotificationChannel
    secret: str = field(repr=False)


async def update_channel(env: Environment, keys: ChannelKeys, call: Call, update: ChannelUpdate) -> NotificationChannel:
    """Changes what the mask names; where all is as wanted already, nothing is written, but a target always is."""
    violations = Violations()
    wanted = violations.uuid("channel.id", update.channel_id)
    changes = _checked_changes(violations, update)
    violations.raise_if_any()
    async with change(env.sessions, call) as tx:
        channel = await load_channel(tx.session, call, wanted, lock=True)
        require_etag("notification channel", channel.etag, update.etag)
        content, hint = replace(channel.content, **changes), channel.target_hint
        if target := "target" in update.paths:
            _require_target(channel.kind, update.draft.target)
            hint = hint_of(channel.kind, update.draft.target)
            sealed = keys.sealed(channel.id, ChannelSecret.TARGET, update.draft.target)
            await notification_channels.put_secret(tx.session, channel.id, sealed)
        if target or content != channel.content:
            channel = channel.changed(env.now(), content=content, target_hint=hint)
            await _save(tx, channel)
            await tx.audit(
                "notification_channel.updated",
                channel.id,
                team_id=channel.team_id,
                name=content.name,
                fields=",".join(sorted(set(update.paths))),
                target_hint=hint,
            )
    return channel


async def delete_channel(env: Environment, call: Call, channel_id: str, etag: str) -> None:
    """Deletes a channel; what waits for it is given up by whoever sends, at once."""
    wanted = require_uuid("channel_id", channel_id)
    async with change(env.sessions, call) as tx:
        channel = await load_channel(tx.session, call, wanted, lock=True)
        require_etag("notification channel", channel.etag, etag)
        await notification_channels.remove(tx.session, channel.id, env.now())
        await tx.audit("notification_channel.deleted", channel.id, team_id=channel.team_id, name=channel.content.name)


async def rotate_signing_secret(env: Environment, keys: ChannelKeys, call: Call, channel_id: str) -> SecretRotation:
    """Gives a channel a new signing secret; the former one signs along for a while."""
    wanted = require_uuid("channel_id", channel_id)
    async with change(env.sessions, call) as tx:
        channel = await load_channel(tx.session, call, wanted, lock=True)
        if channel.kind is not ChannelKind.WEBHOOK:
            raise FailedPrecondition("only WEBHOOK channels have a signing secret", reason="CHANNEL_NOT_SIGNED")
        now = env.now()
        secrets = await notification_channels.secrets_of(tx.session, channel.id, now)
        if ChannelSecret.SIGNING in secrets:
            former = keys.cipher.open(secrets[ChannelSecret.SIGNING], context_of(channel.id, ChannelSecret.SIGNING))
            sealed = keys.sealed(channel.id, ChannelSecret.FORMER_SIGNING, former.decode())
            ends = replace(sealed, expires_at=now + FORMER_SECRET_SIGNS_FOR)
            await notification_channels.put_secret(tx.session, channel.id, ends)
        secret = new_signing_secret(keys.random)
        new = keys.sealed(channel.id, ChannelSecret.SIGNING, secret)
        await notification_channels.put_secret(tx.session, channel.id, new)
        channel = channel.changed(now)
        await _save(tx, channel)
        await tx.audit(
            "notification_channel.secret_rotated", channel.id, team_id=channel.team_id, name=channel.content.name
        )
    return SecretRotation(channel, secret)


def _checked_changes(violations: Violations, update: ChannelUpdate) -> dict[str, Any]:
    """Answers the new values of the fields that the mask names; the target is checked once its kind is known."""
    paths, draft = set(update.paths), update.draft
    if not paths or paths - set(UPDATABLE):
        violations.add("update_mask", f"must name at least one of {', '.join(UPDATABLE)}, and nothing else")
    changes: dict[str, Any] = {}
    if "name" in paths:
        check_name(violations, "channel.name", draft.name)
        changes["name"] = draft.name
    if "events" in paths:
        changes["events"] = checked_events(violations, "channel.events", draft.events)
    if "min_severity" in paths:
        changes["min_severity"] = checked_severity(violations, "channel.min_severity", draft.min_severity)
    if "enabled" in paths:
        changes["enabled"] = draft.enabled
    return changes


def _require_target(kind: ChannelKind, target: str) -> None:
    violations = Violations()
    check_target(violations, "channel.target", kind, target)
    violations.raise_if_any()


async def _save(tx: Change, channel: NotificationChannel) -> None:
    try:
        await notification_channels.save(tx.session, channel)
    except IntegrityError as error:
        if constraint_of(error) != "uq_notification_channels_team_id_name":
            raise
        raise name_taken() from None
