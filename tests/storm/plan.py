"""How much of everything one run has, and in which order things are struck; all from one seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum


class Blow(Enum):
    """What is done to the site while everybody reads."""

    REDIS_KILLED = "Redis killed"
    LISTENERS_CUT = "LISTEN connections cut"
    GATEWAY_FROZEN = "gateway frozen"
    GATEWAY_RESTARTED = "gateway restarted"
    GATEWAY_KILLED = "gateway killed"
    SERVER_KILLED = "server killed"


@dataclass(frozen=True, slots=True)
class Size:
    """`readers` ask at the same time, through each gateway; `administrators` change things at the same time."""

    requests: int
    changes: int
    blows: int
    pages: int = 4
    partners: int = 4
    """Of each page."""
    readers: int = 4
    administrators: int = 2
    listeners: int = 3
    """Event streams that are open at one time, at each gateway."""
    lease_seconds: float = 3.0
    durable: bool = True
    """Whether PostgreSQL keeps its promises over a power cut."""
    reloaders: int = 100
    reloads: int = 2_000
    """In the reload storm: how many ask at one time, and how often in all, through each gateway."""


SHORT = Size(
    requests=3_000,
    changes=30,
    blows=6,
    pages=2,
    partners=3,
    listeners=2,
    durable=False,
    reloaders=40,
    reloads=400,
)
LONG = Size(requests=50_000, changes=600, blows=12)


def blows(size: Size, dice: random.Random) -> list[Blow]:
    """Answers what is struck, each kind as often as the others."""
    chosen: list[Blow] = []
    while len(chosen) < size.blows:
        kinds = list(Blow)
        dice.shuffle(kinds)
        chosen += kinds
    return chosen[: size.blows]
