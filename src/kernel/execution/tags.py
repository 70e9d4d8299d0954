"""Tags: what executors carry and versions ask for, such as a region or a kind of hardware.

An executor runs what asks for a part of what it carries. Whoever asks for nothing runs anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import chain, combinations

LONGEST_TAG = 32
TAG = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}")
MOST_ASKED_FOR = 4
MOST_CARRIED = 8
"""Both are small because an executor listens to one list in Redis per set of tags it can serve: 163 at most."""

Tags = tuple[str, ...]
"""Sorted and unique."""


def in_order(tags: Collection[str]) -> Tags:
    return tuple(sorted(set(tags)))


def wrong_tag(tags: Collection[str]) -> str | None:
    """Answers the first that is no tag, if there is one."""
    return next((tag for tag in tags if not TAG.fullmatch(tag)), None)


def served_by(carried: Collection[str]) -> list[Tags]:
    """Answers every set of tags that a version may ask for and whoever carries these can serve, the empty one first."""
    sizes = range(min(len(set(carried)), MOST_ASKED_FOR) + 1)
    return list(chain.from_iterable(combinations(in_order(carried), size) for size in sizes))
