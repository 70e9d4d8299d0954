"""Words that stand nowhere else, one for every field, and whatever else tells of somebody: ids, prefixes, addresses."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

WORD = re.compile(r"cnry[0-9a-f]{12}")
ADDRESS = "198.51.100.77"
"""Stands in allowlists, and nobody comes from it."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HEX = re.compile(r"[0-9a-f]{32,}")
_PREFIX = re.compile(r"oc[pt]_[a-z2-7]{16}")
_FOLDED = re.compile(r"\r\n[ \t]")


def word() -> str:
    return f"cnry{secrets.token_hex(6)}"


@dataclass(slots=True)
class Furniture:
    """What a page was furnished with, by who may be told: `seen` by every reader, `hidden` not by one with a scope."""

    seen: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)

    def new(self, *, hidden: bool = False) -> str:
        made = word()
        (self.hidden if hidden else self.seen).add(made)
        return made


class Known:
    """All ids that there are, to be found also where they are spelled without hyphens."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._plain = {identity.replace("-", ""): identity for identity in ids}

    def told(self, text: str) -> set[str]:
        """Answers all that a text tells, whatever the lines of a calendar break in two."""
        text = _FOLDED.sub("", text).lower()
        found = {*WORD.findall(text), *_UUID.findall(text), *_PREFIX.findall(text)}
        for run in _HEX.findall(text):
            windows = (run[begin : begin + 32] for begin in range(len(run) - 31))
            found |= {self._plain[window] for window in windows if window in self._plain}
        return found | ({ADDRESS} if ADDRESS in text else set())


def ids_in(rows: object) -> set[str]:
    return set(_UUID.findall(str(rows)))
