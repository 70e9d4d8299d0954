"""From which version on what was read of a page still counts."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.keep.lru import Lru

PAGES = 20_000


@dataclass(frozen=True, slots=True)
class Floor:
    """`fresh`: what was read below it is out of date. `taken`: below it something has been taken away from somebody.

    Contents below `fresh` may still be shown as stale; below `taken` nothing may, neither content nor admission.
    """

    fresh: int = 0
    taken: int = 0


_NONE = Floor()


class Floors:
    """Floors by page; they never sink.

    Where a floor makes room for another one, `generation` grows: an answer that was asked for before must be asked for
    again, since nobody knows any more whether it is below. What is kept of that page is dropped by the caller.
    """

    def __init__(self, limit: int = PAGES) -> None:
        self._floors: Lru[str, Floor] = Lru(limit)
        self.generation = 0

    def of(self, page_id: str) -> Floor:
        return self._floors.get(page_id) or _NONE

    def raise_to(self, page_id: str, version: int, *, taken: bool) -> list[str]:
        """Answers the pages whose floors are forgotten for it."""
        before = self.of(page_id)
        floor = Floor(max(before.fresh, version), max(before.taken, version) if taken else before.taken)
        gone = [page for page, _ in self._floors.put(page_id, floor)]
        self.generation += bool(gone)
        return gone
