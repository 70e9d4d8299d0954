"""One try to send a delivery: where it goes, what came of it, and what becomes of the delivery then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from server.domain.delivery import DEAD, DELIVERED, PENDING, DeliveryStatus, pause
from server.domain.notification_channel import ChannelKind


@dataclass(frozen=True, slots=True)
class OpenChannel:
    """Where a delivery goes, with its secrets open: it lives as long as one try, and is never shown."""

    kind: ChannelKind
    target: str = field(repr=False)
    signing_secrets: Sequence[str] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A workflow's own webhook with its secrets open: it lives as long as one try, and is never shown."""

    headers: Mapping[str, str] = field(repr=False)
    signing_secrets: Sequence[str] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one try: nothing is wrong, or a sentence that says what, without anything of the target in it."""

    error: str = ""
    response_status: int | None = None
    final: bool = False
    """Whether another try cannot help."""
    gone: bool = False
    """Whether the receiver says that it is gone for good."""
    retry_after: timedelta | None = None

    @property
    def delivered(self) -> bool:
        return not self.error


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a delivery: it has ended, or is tried again after a while."""

    status: DeliveryStatus
    again_in: timedelta | None = None


def failed(error: str, *, final: bool = False) -> Attempt:
    return Attempt(error, final=final)


def outcome(
    attempt: Attempt, *, tries: int, limit: int, jitter: float, now: datetime, give_up_at: datetime | None
) -> Outcome:
    """Decides after a try, the `tries`th of at most `limit`; `jitter` as for `pause`."""
    if attempt.delivered:
        return Outcome(DELIVERED)
    if attempt.final or tries >= limit:
        return Outcome(DEAD)
    again_in = pause(tries, jitter, retry_after=attempt.retry_after)
    if give_up_at is not None and now + again_in >= give_up_at:
        return Outcome(DEAD)
    return Outcome(PENDING, again_in)
