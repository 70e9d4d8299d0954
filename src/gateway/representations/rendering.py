"""How a representation becomes bytes with an entity tag, and is kept beside the content that it was made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from hashlib import sha256

from gateway.shown import Rendering, Shown

KEPT = 64
"""So many renderings are kept of one content: its address may be anybody's `Host`, which must not fill the memory."""

# XML 1.0 has no way to write these, and text in a calendar may not have them either.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")


def rendering(body: bytes, media_type: str) -> Rendering:
    """Answers the bytes with their strong entity tag: the same bytes have the same one, on every gateway."""
    return Rendering(body, media_type, f'"{sha256(body).hexdigest()[:32]}"')


def kept(shown: Shown, key: Hashable, make: Callable[[], Rendering]) -> Rendering:
    """Answers what is kept under the key, or makes and keeps it; the oldest makes room, be it of an age long past."""
    found = shown.renderings.get(key)
    if found is None:
        found = make()
        while len(shown.renderings) >= KEPT:
            del shown.renderings[next(iter(shown.renderings))]
        shown.renderings[key] = found
    return found


def printable(text: str) -> str:
    """Answers a text without the control characters that XML and iCalendar forbid; line breaks and tabs stay."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n"))
