"""What clients ask for: answered from what is kept while that may be repeated, else by one question for all who ask."""

from __future__ import annotations

import asyncio

from gateway.asked import Asked, Client
from gateway.keep.clock import Clock
from gateway.keep.fill import Filled, Filler
from gateway.keep.shelf import Shelf
from gateway.keep.single_flight import SingleFlight
from gateway.shown import Shown

SHARED_ROUNDS = 2


class Questions:
    """Those that are on their way, and how pages are shown with them; what is raised is a Refusal."""

    def __init__(self, shelf: Shelf, filler: Filler, clock: Clock) -> None:
        self.shelf = shelf
        self._filler = filler
        self._clock = clock
        self._flights: SingleFlight[Filled] = SingleFlight()

    async def close(self) -> None:
        """Ends the questions that are on their way."""
        await self._flights.close()

    async def show(self, client: Client, asked: Asked, *, background: bool) -> Shown:
        """Shares a question with others for some rounds, and then asks alone: each round may have used up the grant."""
        ticket = self._flights.ticket()
        for _ in range(SHARED_ROUNDS):
            if shown := self.shelf.fresh(client, background=background):
                return shown
            key = (self.shelf.awaited_audience(client) or client.digest, background)
            landed = await self._flights.join(key, ticket, lambda key=key: self._fill(key, client, asked, background))  # type: ignore[misc]
            filled = landed.value
            if _is_away(filled):
                # One that had begun before says nothing of the server now: this process may have stood still meanwhile,
                # and what went unanswered is its own past.
                if not (landed.led or landed.after_me):
                    continue
                # It may have been asked for the next grant, while there is something left of this one.
                shown = self.shelf.fresh(client, background=background)
                return shown or self.shelf.stale(client, background=background)
            if landed.led:
                return self._outcome(filled, client, background=background)
            if landed.after_me and filled.client == client.digest:
                if filled.refused:
                    raise filled.refused
                shown = self._repeat(filled, client, background=background)
                if shown:
                    return shown
        if shown := self.shelf.fresh(client, background=background):
            return shown
        alone = await self._flights.join(object(), ticket, lambda: self._fill(None, client, asked, background))
        return self._outcome(alone.value, client, background=background)

    async def _fill(self, key: object, client: Client, asked: Asked, background: bool) -> Filled:
        await asyncio.sleep(0)  # all that came at the same time are aboard, and counted as waiting
        waiting = max(0, self._flights.waiting(key) - 1) if key is not None else 0
        return await self._filler.fill(client, asked, waiting, background=background)

    def _outcome(self, filled: Filled, client: Client, *, background: bool) -> Shown:
        """Answers what the server said to this very request, and took from the rate."""
        if filled.refused:
            raise filled.refused
        admission, content = filled.admission, filled.content
        if admission is None or content is None:
            return self.shelf.stale(client, background=background)
        if not (background or filled.counted):
            self.shelf.count(admission, client)
        left = self.shelf.grants.of(content.audience).left(self._clock.elapsed())
        return Shown(content.shown, content.tag, None, left, content.renderings)

    def _repeat(self, filled: Filled, client: Client, *, background: bool) -> Shown | None:
        """Answers what the server said to the same question, asked after this one had come."""
        if filled.admission is None or filled.content is None:
            return None
        if refused := self.shelf.tombstones.refusal_of(filled.admission):
            raise refused
        return self.shelf.hand_out(
            filled.admission, filled.content, client, self._clock.instant(), background=background
        )


def _is_away(filled: Filled) -> bool:
    return filled.refused is None and filled.content is None
