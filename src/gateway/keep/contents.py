"""Pages as audiences see them, each once, however many clients belong to the audience."""

from __future__ import annotations

from collections.abc import Hashable, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from gateway.keep.lru import Lru
from gateway.shown import Rendering
from oncall.v1.partner_service_pb2 import GetStatusPageResponse

MOST_BYTES = 64 * 1024 * 1024
RENDERED = 6
"""How many times its own size the representations of a content are reckoned with."""


class AudienceKey(NamedTuple):
    """`partner_id` is empty for everybody who may read the page without being a partner."""

    page_id: str
    partner_id: str


@dataclass(frozen=True, slots=True)
class Content:
    """What one audience sees; `held_at` is when the server was last asked, and said that it does.

    One from the disk has epoch -1 and is shown only as stale.
    """

    shown: GetStatusPageResponse
    tag: str
    page_version: int
    expires_at: datetime
    held_at: datetime
    size: int
    epoch: int = -1
    renderings: MutableMapping[Hashable, Rendering] = field(default_factory=dict)
    audience: AudienceKey = field(init=False)

    def __post_init__(self) -> None:
        audience = AudienceKey(self.shown.status_page.id, self.shown.audience.partner_id)
        object.__setattr__(self, "audience", audience)


class Contents(Lru[AudienceKey, Content]):
    """Contents by audience, bounded in bytes."""

    def __init__(self, limit: int = MOST_BYTES) -> None:
        super().__init__(limit, lambda content: content.size * (1 + RENDERED))


def content_of(answer: GetStatusPageResponse, known: Content | None, *, held_at: datetime, epoch: int) -> Content:
    """Answers the content of an answer; of one that shows what is known already, with its representations.

    What belongs to the one who asked is taken off: the content is shown to all of the audience.
    """
    version, expires_at = answer.page_version, answer.content_expires_at.ToDatetime(tzinfo=held_at.tzinfo)
    same_name = known is not None and answer.audience.partner_name == known.shown.audience.partner_name
    if known and same_name and _shows_the_same(answer, known):
        return replace(known, page_version=version, expires_at=expires_at, held_at=held_at, epoch=epoch)
    shown = GetStatusPageResponse()
    shown.CopyFrom(known.shown if known and answer.unchanged else answer)
    shown.audience.CopyFrom(answer.audience)
    for name in ("page_version", "admitted_until", "access_ends_at", "rate_limit", "unchanged"):
        shown.ClearField(name)
    shown.audience.ClearField("token_id")
    shown.audience.ClearField("token_prefix")
    return Content(shown, answer.content_tag, version, expires_at, held_at, size=shown.ByteSize() + 1, epoch=epoch)


def _shows_the_same(answer: GetStatusPageResponse, known: Content) -> bool:
    return answer.unchanged or (
        bool(answer.content_tag)
        and answer.content_tag == known.tag
        and answer.status_page.id == known.shown.status_page.id
        and answer.audience.partner_id == known.shown.audience.partner_id
    )
