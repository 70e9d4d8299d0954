"""Notification channels: where a team hears of what happens, and of what it wants to hear there."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from server.domain.delivery import SUBSCRIBABLE, NotificationEvent
from server.domain.etag import etag
from server.domain.incident import IncidentSeverity
from server.domain.violation import Violations

LONGEST_NAME = 100
FORMER_SECRET_SIGNS_FOR = timedelta(hours=24)
"""How long webhooks are signed with the former secret, too, after a rotation: receivers change theirs meanwhile."""
GONE = "its receiver said that it is gone (410)"


class ChannelKind(StrEnum):
    SLACK = "SLACK"
    EMAIL = "EMAIL"
    PAGERDUTY = "PAGERDUTY"
    TEAMS = "TEAMS"
    WEBHOOK = "WEBHOOK"
    APPRISE = "APPRISE"


class ChannelSecret(StrEnum):
    """What is kept sealed of a channel."""

    TARGET = "TARGET"
    SIGNING = "SIGNING"
    FORMER_SIGNING = "FORMER_SIGNING"


@dataclass(frozen=True, slots=True)
class ChannelContent:
    """What a team may say of a channel, besides where it goes."""

    name: str
    events: Sequence[NotificationEvent] = ()
    min_severity: IncidentSeverity | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class NotificationChannel:
    """A channel as it is kept, without its secrets; `target_hint` is enough to recognise the target, not to use it."""

    id: UUID
    team_id: UUID
    kind: ChannelKind
    content: ChannelContent
    target_hint: str
    disabled_reason: str
    revision: int
    created_by: UUID
    created_at: datetime
    updated_at: datetime

    @property
    def etag(self) -> str:
        return etag(self.id, self.revision)

    def changed(self, at: datetime, **changes: Any) -> NotificationChannel:
        """Answers the channel with other values, one revision later; whoever enables it takes back why it was not."""
        changed = replace(self, revision=self.revision + 1, updated_at=at, **changes)
        return replace(changed, disabled_reason="") if changed.content.enabled else changed


def context_of(channel_id: UUID, purpose: ChannelSecret | str) -> str:
    """Answers what a channel's secret is sealed for: moved to another channel or purpose, it does not open."""
    return f"notification_channel:{channel_id}:{purpose}"


def check_name(violations: Violations, field: str, name: str) -> None:
    violations.text(field, name, shortest=1, longest=LONGEST_NAME)
    if name and not name.strip():
        violations.add(field, "must not be blank")


def checked_events(violations: Violations, field: str, names: Sequence[str]) -> tuple[NotificationEvent, ...]:
    """Answers the events, each once, in the order in which they are declared."""
    known = {event.value: event for event in SUBSCRIBABLE}
    for index, name in enumerate(names):
        if name not in known:
            violations.add(f"{field}[{index}]", "must be one of " + ", ".join(known))
    return tuple(event for name, event in known.items() if name in names)


def checked_severity(violations: Violations, field: str, name: str) -> IncidentSeverity | None:
    if name and name not in IncidentSeverity.__members__:
        violations.add(field, "must be one of " + ", ".join(IncidentSeverity))
        return None
    return IncidentSeverity[name] if name else None


def checked_kind(violations: Violations, field: str, name: str) -> ChannelKind:
    if name not in ChannelKind.__members__:
        violations.add(field, "must be one of " + ", ".join(ChannelKind))
        return ChannelKind.WEBHOOK
    return ChannelKind[name]


def new_signing_secret(random_bytes: Callable[[int], bytes]) -> str:
    """Answers a secret as Standard Webhooks spells it, of 32 random bytes."""
    return f"whsec_{base64.b64encode(random_bytes(32)).decode()}"
