"""Creates notification channels; their targets go in sealed, and only whoever sends opens them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.cipher import Cipher
from kernel.database import constraint_of
from kernel.errors import AlreadyExists
from server.domain.channel_target import check_target, hint_of
from server.domain.notification_channel import (
    ChannelContent,
    ChannelKind,
    ChannelSecret,
    NotificationChannel,
    check_name,
    checked_events,
    checked_kind,
    checked_severity,
    context_of,
    new_signing_secret,
)
from server.domain.permission import Call
from server.domain.request_key import RequestKey
from server.domain.violation import Violations
from server.operations.administer_teams import load_team
from server.operations.change import change
from server.operations.environment import Environment
from server.operations.once import first_result, remember
from server.operations.read_channels import load_channel
from server.storage import notification_channels
from server.storage.notification_channels import SealedChannelSecret

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class ChannelDraft:
    """A channel as sent: nothing checked."""

    team_id: str
    name: str
    kind: str
    target: str = field(repr=False)
    events: Sequence[str]
    min_severity: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class ChannelKeys:
    """What keeps the secrets of channels: what seals them, and where new ones come from."""

    cipher: Cipher
    random: Random

    def sealed(self, channel_id: UUID, purpose: ChannelSecret, value: str) -> SealedChannelSecret:
        sealed = self.cipher.seal(value.encode(), context_of(channel_id, purpose))
        return SealedChannelSecret(purpose, self.cipher.current_key_id, sealed)


async def create_channel(
    env: Environment, keys: ChannelKeys, call: Call, draft: ChannelDraft, key: RequestKey
) -> tuple[NotificationChannel, str]:
    """Creates a channel and answers the signing secret of one that has one; a repeat answers no secret."""
    team_id, kind, content = _check(draft, key)
    now = env.now()
    async with change(env.sessions, call) as tx:
        await load_team(tx.session, call, team_id)
        if first := await first_result(tx.session, call, key):
            return await load_channel(tx.session, call, UUID(first["channel_id"])), ""
        channel = NotificationChannel(
            id=env.new_id(),
            team_id=team_id,
            kind=kind,
            content=content,
            target_hint=hint_of(kind, draft.target),
            disabled_reason="",
            revision=1,
            created_by=call.caller.user_id,
            created_at=now,
            updated_at=now,
        )
        await _add(tx.session, channel)
        secret = new_signing_secret(keys.random) if kind is ChannelKind.WEBHOOK else ""
        kept = {ChannelSecret.TARGET: draft.target} | ({ChannelSecret.SIGNING: secret} if secret else {})
        for purpose, value in kept.items():
            await notification_channels.put_secret(tx.session, channel.id, keys.sealed(channel.id, purpose, value))
        await remember(tx.session, call, key, {"channel_id": str(channel.id)})
        await tx.audit(
            "notification_channel.created",
            channel.id,
            team_id=team_id,
            name=content.name,
            kind=kind,
            target_hint=channel.target_hint,
            events=",".join(content.events),
        )
    return channel, secret


def _check(draft: ChannelDraft, key: RequestKey) -> tuple[UUID, ChannelKind, ChannelContent]:
    violations = Violations()
    team_id = violations.uuid("channel.team_id", draft.team_id)
    check_name(violations, "channel.name", draft.name)
    kind = checked_kind(violations, "channel.kind", draft.kind)
    if draft.kind == kind:
        check_target(violations, "channel.target", kind, draft.target)
    content = ChannelContent(
        name=draft.name,
        events=checked_events(violations, "channel.events", draft.events),
        min_severity=checked_severity(violations, "channel.min_severity", draft.min_severity),
    )
    key.check(violations)
    violations.raise_if_any()
    return team_id, kind, content


def name_taken() -> AlreadyExists:
    return AlreadyExists("the team has a notification channel of that name", reason="CHANNEL_NAME_TAKEN")


async def _add(session: AsyncSession, channel: NotificationChannel) -> None:
    try:
        await notification_channels.add(session, channel)
    except IntegrityError as error:
        if constraint_of(error) != "uq_notification_channels_team_id_name":
            raise
        raise name_taken() from None
