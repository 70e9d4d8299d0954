"""Which representation a client asks for: the Accept header, as RFC 9110 section 12.5.1 reads it."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import NamedTuple


class Representation(Enum):
    """What the gateway can answer with; the first is the default."""

    HTML = "text/html"
    JSON = "application/json"


class _Range(NamedTuple):
    media_type: str
    quality: float


class _Match(NamedTuple):
    """How well a representation is wanted; compared from left to right."""

    quality: float
    specificity: int


_QUALITY = re.compile(r"(0(\.[0-9]{0,3})?|1(\.0{0,3})?)")
_UNWANTED = _Match(0.0, 0)

LONGEST_KEPT = 500
"""A longer header is read each time it comes."""


def preferred(accept: str | None) -> Representation:
    """Answers what is wanted most; HTML where nothing is said, or nothing that there is, is acceptable.

    Of two wanted alike the one named more exactly wins, so that `application/json, */*` is a wish for JSON.
    """
    if not accept:
        return Representation.HTML
    if len(accept) <= LONGEST_KEPT:
        return _kept(accept)
    return _preferred(accept)


def _preferred(accept: str) -> Representation:
    ranges = [found for part in accept.split(",") if (found := _parse(part))]
    return max(Representation, key=lambda offer: _match(offer.value, ranges))


_kept = lru_cache(maxsize=256)(_preferred)  # clients are many, their headers few


def _parse(part: str) -> _Range | None:
    media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
    if "/" not in media_type:
        return None
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return _Range(media_type, float(value)) if _QUALITY.fullmatch(value := value.strip()) else None
    return _Range(media_type, 1.0)


def _match(offer: str, ranges: list[_Range]) -> _Match:
    """Answers the quality that the most specific range gives to `offer`: the exact type, its family, anything."""
    for specificity, wanted in ((2, offer), (1, f"{offer.partition('/')[0]}/*"), (0, "*/*")):
        qualities = [found.quality for found in ranges if found.media_type == wanted]
        if qualities:
            quality = max(qualities)
            return _Match(quality, specificity) if quality else _UNWANTED
    return _UNWANTED
