"""What may have been so at some moment, as far as somebody outside can know who only sees calls begin and end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Change(Generic[T]):
    """A change to `value`: it takes effect at some moment between the two times, which are of one clock."""

    value: T
    begun: float
    acknowledged: float = math.inf


class History(Generic[T]):
    """The changes of one thing, in their order: the next one begins when the one before has come to its end."""

    def __init__(self, value: T) -> None:
        self._changes = [Change(value, -math.inf, -math.inf)]

    @property
    def newest(self) -> T:
        return self._changes[-1].value

    def begin(self, value: T, at: float, acknowledged: float = math.inf) -> Change[T]:
        change = Change(value, at, acknowledged)
        self._changes.append(change)
        return change

    def within(self, begun: float, ended: float) -> list[T]:
        """Answers every value that may have been the current one at some moment between the two."""
        found, followed_by = [], math.inf
        for change in reversed(self._changes):
            if change.begun <= ended and followed_by >= begun:
                found.append(change.value)
            followed_by = min(followed_by, change.acknowledged)
        return found
