"""A page, gateways that keep it, and somebody who takes something away: all that decision 0023 speaks of, small.

Time is a number of ticks. A change has a number, which is the page's from its commit on; the page's first is 0. What a
change takes away is either named, and so cut by a tombstone, or not, and so cut by the page's floor (decision 0025).
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

LEASE = 2
"""Ticks for which a gateway answers from what it keeps, after it sent a renewal."""
LASTS = LEASE + 1
"""Ticks for which the row of its watch lasts, after the database wrote it: a little longer, since clocks drift."""


class Phase(IntEnum):
    """How far whoever takes something away has come."""

    IDLE = 0
    OBLIGING = 1
    """The transaction has seen the watches, and is not committed."""
    WAITING = 2
    ANSWERED = 3
    UNHEARD = 4
    """The server died, or gave up, before it answered; the change stands, and the call will be repeated."""


class Row(NamedTuple):
    """A watch in the database: for how long it lasts, and which changes it has yet to confirm."""

    lasts: int = 0
    owes: tuple[int, ...] = ()
    owes_for: int = 0
    """Ticks since the first of them was told, up to a lease."""


class Fill(NamedTuple):
    """A question to the server on its way: what it read, once it has; of which stream it was asked under."""

    version: int = -1
    current: bool = True


class Renewal(NamedTuple):
    """A renewal on its way: ticks since it was sent, what it confirms, and what the database said."""

    age: int = 0
    confirms: tuple[int, ...] = ()
    answer: bool | None = None


class Gateway(NamedTuple):
    stream: bool = False
    fed: bool = False
    """The server passes changes on; the row of the watch may not be written yet."""
    row: Row = Row()
    told: tuple[int, ...] = ()
    """Changes on their way to it."""
    heard: tuple[int, ...] = ()
    """Changes that it goes by, and has not confirmed."""
    goes_by: int = 0
    """The floor, or the tombstone: the newest change that it goes by."""
    patience: int = 0
    """Ticks until it asks about everything again."""
    kept: int = -1
    """At which number of the page what it keeps was read; -1: nothing that counts."""
    fill: Fill | None = None
    renewal: Renewal | None = None

    def answers(self) -> int:
        """At which number what it answers by itself was read; -1: it asks."""
        return self.kept if self.stream and self.patience > 0 and self.kept >= self.goes_by else -1


class World(NamedTuple):
    gateways: tuple[Gateway, ...]
    phase: Phase = Phase.IDLE
    version: int = 0
    """What everybody reads: the newest change that is committed."""
    ended: tuple[Row, ...] = ()
    """Rows of watches whose streams are gone."""

    def with_gateway(self, index: int, gateway: Gateway) -> World:
        return self._replace(gateways=(*self.gateways[:index], gateway, *self.gateways[index + 1 :]))

    @property
    def rows(self) -> tuple[Row, ...]:
        return (*(gateway.row for gateway in self.gateways), *self.ended)

    @property
    def over(self) -> bool:
        return self.phase is Phase.ANSWERED


def broken(_: World, after: World) -> str | None:
    """The one property: once it is answered, nobody answers by what was before."""
    if after.phase is not Phase.ANSWERED:
        return None
    if any(0 <= gateway.answers() < 1 for gateway in after.gateways):
        return "a gateway answers by what was before the change, and the change was acknowledged"
    return None
