"""A mapping with a limit: what was used longest ago goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


def _one(_: object) -> int:
    return 1


class Lru(Generic[K, V]):
    """At most `limit` of what `size` says of the values, by default of entries."""

    def __init__(self, limit: int, size: Callable[[V], int] = _one) -> None:
        self._limit = limit
        self._size = size
        self._entries: OrderedDict[K, V] = OrderedDict()
        self.weight = 0

    def get(self, key: K) -> V | None:
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> list[tuple[K, V]]:
        """Answers what had to go for it; a value larger than the limit itself is not kept."""
        self.drop(key)
        self._entries[key] = value
        self.weight += self._size(value)
        gone = []
        while self.weight > self._limit:
            oldest, old = self._entries.popitem(last=False)
            self.weight -= self._size(old)
            gone.append((oldest, old))
        return gone

    def drop(self, key: K) -> None:
        value = self._entries.pop(key, None)
        if value is not None:
            self.weight -= self._size(value)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[K]:
        return iter(self._entries)
