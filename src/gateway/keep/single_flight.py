"""One question for all who want to know the same at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Landed(Generic[T]):
    """How a flight ended: `led` for the one whose own question it was, `after_me` where it began after one had come.

    A flight that was under way already may have been answered before something that its new passenger knows of.
    """

    value: T
    led: bool
    after_me: bool


@dataclass(slots=True)
class _Flight(Generic[T]):
    began: int
    task: asyncio.Task[T]
    passengers: int = 0


class SingleFlight(Generic[T]):
    """A flight is a task of its own: the one who started it may leave, and the others still get their answer.

    So `fly` must answer a value for everything that can happen, and raise only for a mistake.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[T]] = {}
        self._tickets = 0

    def ticket(self) -> int:
        """Answers a number for somebody who comes now."""
        self._tickets += 1
        return self._tickets

    def waiting(self, key: Hashable) -> int:
        flight = self._flights.get(key)
        return flight.passengers if flight else 0

    async def join(self, key: Hashable, ticket: int, fly: Callable[[], Awaitable[T]]) -> Landed[T]:
        """Flies, or waits for the flight that is under way."""
        flight = self._flights.get(key)
        led = flight is None
        if flight is None:
            flight = _Flight(self.ticket(), asyncio.ensure_future(_run(fly)))
            self._flights[key] = flight
            flight.task.add_done_callback(lambda _: self._flights.pop(key, None))
        flight.passengers += 1
        try:
            value = await asyncio.shield(flight.task)
        finally:
            flight.passengers -= 1
        return Landed(value, led, led or flight.began > ticket)

    async def close(self) -> None:
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _run(fly: Callable[[], Awaitable[T]]) -> T:
    return await fly()
