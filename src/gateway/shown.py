"""What the gateway shows to one audience: the content, how fresh it is, and what has been made of it already."""

from __future__ import annotations

from collections.abc import Hashable, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from oncall.v1.partner_service_pb2 import GetStatusPageResponse


@dataclass(frozen=True, slots=True)
class Rendering:
    """A representation of one content; the same bytes have the same `etag`, which stands in its quotation marks.

    `heads` are the lines of the headers that it was answered with, by what they differ in.
    """

    body: bytes
    media_type: str
    etag: str
    heads: MutableMapping[Hashable, bytes] = field(default_factory=dict, compare=False, repr=False)


class RateLimitLeft(NamedTuple):
    """What is left of the requests a minute of a partner."""

    limit: int
    remaining: int
    reset_seconds: int


@dataclass(slots=True)  # not frozen: one is made for each answer, and freezing it would be most of what that takes
class Shown:
    """One audience's page; `stale_since` is when its content was last known to hold, unset while it holds.

    `renderings` lives as long as the content, so that each representation is made once of it.
    """

    content: GetStatusPageResponse
    tag: str
    stale_since: datetime | None = None
    rate_limit: RateLimitLeft | None = None
    renderings: MutableMapping[Hashable, Rendering] = field(default_factory=dict)
