"""Deliveries: what is to be sent to whom, how that stands, and when it is tried again.

A delivery is made in the transaction of what it tells of, and sent by `jobs` afterwards, at least once: whoever dies
between sending and noting it leaves a delivery that is sent again, with the same id (a webhook's `webhook-id`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

LONGEST_SUBJECT = 200
LONGEST_BODY = 20_000
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(hours=1)
LONGEST_RETRY_AFTER = timedelta(hours=6)
"""A receiver that asks for more is asked again after this."""


class NotificationEvent(StrEnum):
    """What a delivery tells of; channels subscribe to those of `SUBSCRIBABLE`."""

    EXECUTION_FAILED = "EXECUTION_FAILED"
    WORKFLOW_FAILED = "WORKFLOW_FAILED"
    APPROVAL_WAITING = "APPROVAL_WAITING"
    INCIDENT_CREATED = "INCIDENT_CREATED"
    INCIDENT_UPDATED = "INCIDENT_UPDATED"
    INCIDENT_RESOLVED = "INCIDENT_RESOLVED"
    WORKFLOW_MESSAGE = "WORKFLOW_MESSAGE"
    """A `notify` node of a workflow, which names its channel."""
    WORKFLOW_WEBHOOK = "WORKFLOW_WEBHOOK"
    """A `webhook` node of a workflow, which names its address."""
    TEST = "TEST"


OF_INCIDENTS = frozenset(
    {NotificationEvent.INCIDENT_CREATED, NotificationEvent.INCIDENT_UPDATED, NotificationEvent.INCIDENT_RESOLVED}
)
"""Those whose subject says which incident it is."""
SUBSCRIBABLE = tuple(
    event
    for event in NotificationEvent
    if event not in {NotificationEvent.WORKFLOW_MESSAGE, NotificationEvent.WORKFLOW_WEBHOOK, NotificationEvent.TEST}
)


class Tone(StrEnum):
    """How a message is meant, where a service tells good news from bad."""

    BAD = "BAD"
    WARNING = "WARNING"
    NEUTRAL = "NEUTRAL"
    GOOD = "GOOD"
    """What was bad is over: a pager resolves what it raised."""


_TONES = {
    NotificationEvent.EXECUTION_FAILED: Tone.BAD,
    NotificationEvent.WORKFLOW_FAILED: Tone.BAD,
    NotificationEvent.INCIDENT_CREATED: Tone.BAD,
    NotificationEvent.INCIDENT_UPDATED: Tone.WARNING,
    NotificationEvent.APPROVAL_WAITING: Tone.WARNING,
    NotificationEvent.INCIDENT_RESOLVED: Tone.GOOD,
}


class DeliveryStatus(StrEnum):
    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    DEAD = "DEAD"
    """Given up: after the last attempt, or because another one could not help."""


PENDING, DELIVERED, DEAD = DeliveryStatus


@dataclass(frozen=True, slots=True)
class HeaderValue:
    """A header of a webhook: `prefix`, and after it the value of a secret of the team, where one is named.

    `HeaderValue("Bearer ", secret="PAGER_TOKEN")` sends `Bearer ` and the secret's present value. The secret is read
    when the webhook is sent; nothing of it is stored here.
    """

    prefix: str = ""
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A request that a workflow sends: `method` is POST, PUT or PATCH, `json_body` any JSON value.

    `signing_secret` names the secret of the team that signs it after the convention of Standard Webhooks, if one does.
    """

    url: str
    json_body: Any
    method: str = "POST"
    headers: Mapping[str, HeaderValue] = field(default_factory=dict)
    signing_secret: str | None = None

    @property
    def secret_names(self) -> frozenset[str]:
        """Answers which secrets of the team are needed to send it."""
        sent = {value.secret for value in self.headers.values() if value.secret is not None}
        return frozenset(sent | ({self.signing_secret} if self.signing_secret else set()))

    def as_json(self) -> dict[str, Any]:
        headers = {name: {"prefix": value.prefix, "secret": value.secret} for name, value in self.headers.items()}
        return {
            "url": self.url,
            "json_body": self.json_body,
            "method": self.method,
            "headers": headers,
            "signing_secret": self.signing_secret,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> WebhookRequest:
        headers = {name: HeaderValue(**value) for name, value in kept["headers"].items()}
        return cls(kept["url"], kept["json_body"], kept["method"], headers, kept.get("signing_secret"))


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery to be: to a channel or to an address of its own, exactly one of the two.

    `dedupe_key` says what it is about, in at most 300 characters: of two deliveries with the same key the second is
    never made. For a node of a run, `run:{run_id}:{node}:{visit}` say. `body` is plain text or Markdown; `data` is a
    JSON object for programs, and goes to webhooks alone. None of it may have a secret in it.
    """

    dedupe_key: str
    team_id: UUID
    event: NotificationEvent
    subject: str
    body: str
    channel_id: UUID | None = None
    webhook: WebhookRequest | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    workflow_run_id: UUID | None = None
    node: str | None = None
    incident_id: UUID | None = None
    execution_id: UUID | None = None
    give_up_at: datetime | None = None
    """From then on it is not tried again but DEAD; None: when the attempts are used up, hours later."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as it is kept, without what it says: lists of them are read by everybody in the team."""

    id: UUID
    team_id: UUID
    channel_id: UUID | None
    event: NotificationEvent
    subject: str
    status: DeliveryStatus
    attempts: int
    next_attempt_at: datetime
    last_error: str
    response_status: int | None
    workflow_run_id: UUID | None
    node: str | None
    incident_id: UUID | None
    execution_id: UUID | None
    created_at: datetime
    ended_at: datetime | None


def tone_of(event: NotificationEvent, *, over: bool) -> Tone:
    """Answers how a message is meant; what is said of an incident that is `over` must wake nobody again."""
    if event is NotificationEvent.INCIDENT_UPDATED and over:
        return Tone.GOOD
    return _TONES.get(event, Tone.NEUTRAL)


def pause(tries: int, jitter: float, *, retry_after: timedelta | None = None) -> timedelta:
    """Answers how long to wait after so many failed tries, at least one: 5 s, doubled each time, up to an hour.

    `jitter`, 0 to 1, takes off up to half, so that what failed together does not come back together. A receiver's own
    wish (`Retry-After`) is kept where it is longer, up to six hours.
    """
    doubled = min(FIRST_PAUSE * (1 << min(tries - 1, 20)), LONGEST_PAUSE)
    own = doubled * (1 - jitter / 2)
    return max(own, min(retry_after, LONGEST_RETRY_AFTER)) if retry_after else own


def shortened(text: str, longest: int) -> str:
    """Answers `text`, or as much of it as fits, with a mark that there was more."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def storable(text: str, longest: int) -> str:
    """Answers what PostgreSQL can hold of `text`, and no more of it than is wanted."""
    clean = text.replace("\x00", "").encode("utf-8", "replace").decode()
    return shortened(clean, longest)


def as_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Answers a copy that is JSON; TypeError or ValueError where it cannot be."""
    copied: dict[str, Any] = json.loads(json.dumps(dict(data), allow_nan=False))
    return copied
