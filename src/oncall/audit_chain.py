"""The chain over the audit: how an event is hashed to the one before, and what shows that somebody changed it.

The form is the contract's (`AuditSeal`). Pure, and part of the client, so that whoever reads the audit can verify it
without trusting the server that sent it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

ORIGIN = bytes(32)
"""The hash before position 1."""
GREATEST_WHOLE = 2.0**53


@dataclass(frozen=True, slots=True)
class ChainedEvent:
    """An audit event, as far as it is hashed; what is unset is empty."""

    id: int
    time: datetime
    actor_id: str
    action: str
    team_id: str
    resource_type: str
    resource_id: str
    detail: Mapping[str, object]
    outcome: str
    peer: str
    request_id: str

    def hash(self, position: int, previous_hash: bytes) -> bytes:
        return hashlib.sha256(previous_hash + self.canonical(position)).digest()

    def canonical(self, position: int) -> bytes:
        """Answers the canonical form of this event at a place in the chain."""
        form = {
            "action": self.action,
            "actor_id": self.actor_id,
            "detail": _plain(self.detail),
            "id": self.id,
            "outcome": self.outcome,
            "peer": self.peer,
            "position": position,
            "request_id": self.request_id,
            "resource_id": self.resource_id,
            "resource_type": self.resource_type,
            "team_id": self.team_id,
            "time": self.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        return json.dumps(form, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode(errors="replace")


@dataclass(frozen=True, slots=True)
class Link:
    """A seal, and the event it seals; None where that is gone."""

    position: int
    previous_hash: bytes
    hash: bytes
    event: ChainedEvent | None


class Damage(StrEnum):
    CHANGED = "changed row"
    MISSING_ROW = "missing row"
    MISSING_SEAL = "missing seal"
    REORDERED = "reordered"
    WRONG_HEAD = "wrong head"


@dataclass(frozen=True, slots=True)
class Break:
    """The first place at which the chain does not hold."""

    position: int
    damage: Damage


class Verifier:
    """Follows a chain from its beginning; feed it page after page, in order, until it finds something.

    `expected` is a position and the hash there, written down earlier and elsewhere: whoever can change everything in
    the database can seal everything anew, or cut off the end, and only this shows it.
    """

    def __init__(self, expected: tuple[int, bytes] | None = None) -> None:
        self.position = 0
        self.head = ORIGIN
        self._expected = expected

    def follow(self, page: Sequence[Link]) -> Break | None:
        """Verifies the next links; answers the first that does not hold. Up to it, `position` and `head` are sound."""
        for index, link in enumerate(page):
            damage = self._damage(link, page[index + 1 :])
            if damage is not None:
                return Break(self.position + 1, damage)
            self.position, self.head = link.position, link.hash
        return None

    def end(self, chain_length: int) -> Break | None:
        """Verifies that all has been followed; `chain_length` is the position that is said to be the last."""
        if self.position < chain_length:
            return Break(self.position + 1, Damage.MISSING_SEAL)
        if self._expected is not None and self.position < self._expected[0]:
            return Break(self.position + 1, Damage.WRONG_HEAD)
        return None

    def _damage(self, link: Link, later: Sequence[Link]) -> Damage | None:
        place, head = self.position + 1, self.head
        if link.position != place:
            return Damage.MISSING_SEAL
        if link.event is None:
            return Damage.MISSING_ROW
        if link.previous_hash == head and link.event.hash(place, head) == link.hash:
            known = self._expected is not None and self._expected[0] == place
            return Damage.WRONG_HEAD if known and self._expected != (place, link.hash) else None
        # The event, or the seal, that belongs here may stand further on; looked for on this page alone.
        moved = any(other.event and other.event.hash(place, head) in (link.hash, other.hash) for other in later)
        return Damage.REORDERED if moved else Damage.CHANGED


def seal(position: int, head: bytes, events: Iterable[ChainedEvent]) -> Iterator[Link]:
    """Answers the links that continue a chain whose last position and hash these are."""
    for event in events:
        position += 1
        link = Link(position, head, event.hash(position, head), event)
        head = link.hash
        yield link


def _plain(value: object) -> object:
    """Answers a JSON value as it is after a trip through protobuf, which knows no whole numbers."""
    match value:
        case bool() | None | str():
            return value
        case int() | float():
            number = float(value)
            return int(number) if number.is_integer() and abs(number) <= GREATEST_WHOLE else number
        case Mapping():
            return {str(name): _plain(inner) for name, inner in value.items()}
        case Sequence():
            return [_plain(inner) for inner in value]
    raise TypeError(f"{type(value).__name__} is no JSON value")
