"""What one run does, all of it from its seed: which executions are asked for, which processes are struck and how.

When exactly something happens is the machine's doing; what happens, and in which order, comes again with the seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from uuid import UUID

from tests.chaos.scripts import Kind

EXECUTORS = ("executor-1", "executor-2")
PROCESSES = ("postgresql", "redis", "server", "jobs", *EXECUTORS)


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    executions: int
    kills: int
    freezes: int
    most_failures: int
    """How many attempts in a row fail at most: each costs its backoff."""
    callers: int = 16
    """Clients that wait for an execution at one time."""
    lease_seconds: float = 3.0
    longest_delay: float = 1.5
    """Seconds to wait at most before a blow, once so much is under way."""
    settle_seconds: float = 60.0
    """How long after the last strike everything may take to end."""
    longest_script: float = 3.0
    """Seconds that a script takes at most if nobody disturbs it."""
    together: float = 0.2
    """How often, 0 to 1, two processes are struck at once: all that is away is waited for only once."""


SHORT = Size(
    executions=24,
    kills=6,
    freezes=0,
    most_failures=1,
    callers=12,
    longest_delay=0.5,
    longest_script=1.0,
    together=0.7,
)
LONG = Size(executions=520, kills=32, freezes=4, most_failures=3, lease_seconds=5.0, settle_seconds=120.0)


@dataclass(frozen=True, slots=True)
class Order:
    """One execution that somebody asks for, and how that client behaves."""

    number: int
    request_id: str
    kind: Kind
    max_retries: int
    failures: int
    """So many attempts fail before one does not."""
    size: int
    seconds: float
    cancel_after: float | None = None
    """Seconds from its acceptance until somebody asks to cancel it."""
    leaves_after: int | None = None
    """How many events this client watches; None: to the end."""
    impatient: bool = False
    """Repeats nothing: with the first error it is gone, and may never learn what it started."""
    joined_after: int | None = None
    """A second client watches too, from after this sequence."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One blow: processes that are killed together, or an executor that is frozen past its lease."""

    victims: tuple[str, ...]
    at: float
    """The part of all executions that has been asked for by then, 0 to 1."""
    delay: float
    """Seconds to wait then."""
    pause: float
    """Seconds until what was struck is started again, or goes on."""
    freezes: bool = False


def orders(size: Size, dice: random.Random) -> list[Order]:
    return [_order(number, size, dice) for number in range(size.executions)]


def _order(number: int, size: Size, dice: random.Random) -> Order:
    kind = dice.choices([Kind.MARK, Kind.OUTPUT, Kind.ENDLESS], weights=[52, 44, 4])[0]
    retries = dice.choice([0, 1, 2, 3])
    return Order(
        number=number,
        request_id=str(UUID(int=dice.getrandbits(128), version=4)),
        kind=kind,
        max_retries=0 if kind is Kind.ENDLESS else retries,
        failures=min(dice.choice([0, 0, 0, 1, 1, 2, 4]), size.most_failures),
        size=0 if dice.random() < 0.1 else dice.randrange(300 * 1024),
        seconds=min(dice.choice([0.0, 0.1, 0.3, 0.7, 1.5, 3.0]), size.longest_script),
        cancel_after=dice.uniform(0.0, 2.0) if dice.random() < 0.12 else None,
        leaves_after=dice.randrange(1, 4) if dice.random() < 0.1 else None,
        impatient=dice.random() < 0.15,
        joined_after=dice.randrange(0, 5) if dice.random() < 0.25 else None,
    )


def strikes(size: Size, dice: random.Random) -> list[Strike]:
    """Answers the blows in their order: `kills` processes, everyone among them, now and then two at once."""
    kills = [*PROCESSES, *dice.choices(PROCESSES, k=max(0, size.kills - len(PROCESSES)))]
    dice.shuffle(kills)
    struck: list[tuple[tuple[str, ...], bool]] = []
    while kills:
        victims = {kills.pop()}
        if len(kills) > 1 and dice.random() < size.together:
            victims.add(kills.pop())  # may be the same again, and then counts for one
        struck.append((tuple(sorted(victims)), False))
    missing = size.kills - sum(len(victims) for victims, _ in struck)
    struck += [((name,), False) for name in dice.choices(PROCESSES, k=missing)]
    for _ in range(size.freezes):
        struck.insert(dice.randrange(len(struck) + 1), ((dice.choice(EXECUTORS),), True))
    return [
        Strike(
            victims,
            at=(number + 1) / (len(struck) + 1),
            delay=dice.uniform(0.1, size.longest_delay),
            pause=size.lease_seconds + dice.uniform(0.5, 2.5) if freezes else dice.uniform(0.1, 1.5),
            freezes=freezes,
        )
        for number, (victims, freezes) in enumerate(struck)
    ]
