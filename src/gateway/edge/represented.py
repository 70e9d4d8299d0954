"""The representations of a page: one table, so that all of them pass the same gate and carry the same headers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from gateway.representations import html
from gateway.shown import Rendering, Shown
from gateway.summary_v2 import summary
from gateway.view.page import stale_minutes

MOST_RENDERINGS = 64
"""Of one content: addresses and ages are many where nobody configured the one address."""


@dataclass(frozen=True, slots=True)
class Viewing:
    """How a page is looked at: where people read it, in which language, and when."""

    url: str
    language: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Represented:
    """One representation: its place below the page, empty for the page itself, and how it is made or found made."""

    path: str
    of: Callable[[Shown, Viewing], Rendering]


def _html(shown: Shown, viewing: Viewing) -> Rendering:
    key = ("html", viewing.url, viewing.language, stale_minutes(shown.stale_since, viewing.now))
    if (made := shown.renderings.get(key)) is None:
        if len(shown.renderings) >= MOST_RENDERINGS:
            shown.renderings.clear()
        made = shown.renderings[key] = html.render(shown, viewing.url, viewing.language, viewing.now)
    return made


def _summary(shown: Shown, viewing: Viewing) -> Rendering:
    body = json.dumps(summary(shown.content, viewing.url), ensure_ascii=False, separators=(",", ":")).encode()
    return Rendering(body, "application/json", f'"{sha256(body).hexdigest()[:32]}"')


PAGE = Represented("", _html)
SUMMARY_PATH = "/api/v2/summary.json"

REPRESENTATIONS: Sequence[Represented] = (PAGE, Represented(SUMMARY_PATH, _summary))
"""The page itself, and what stands at addresses below it; at the page's own address, a program gets the summary."""
