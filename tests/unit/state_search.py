"""A breadth-first search over every world that can be reached, so that what it finds is the shortest way to it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

World = TypeVar("World", bound=Hashable)
Reached = TypeVar("Reached", covariant=True)


class Step(Protocol[Reached]):
    """A move to another world; `fair` where it happens sooner or later if everything is let alone."""

    @property
    def what(self) -> str: ...
    @property
    def fair(self) -> bool: ...
    @property
    def world(self) -> Reached: ...


@dataclass(frozen=True, slots=True)
class Model(Generic[World]):
    """What can happen, what must not, and where it ends; of worlds that are alike, `one_of` answers one."""

    moves: Callable[[World], Iterable[Step[World]]]
    broken: Callable[[World, World], str | None]
    over: Callable[[World], bool]
    one_of: Callable[[World], World] = lambda world: world


@dataclass(slots=True)
class Found:
    """What a search saw: how many worlds, over how many moves, and the shortest way to something bad, if any."""

    worlds: int = 0
    moves: int = 0
    problem: str = ""
    trace: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        steps = [f"{number:3}. {step}" for number, step in enumerate(self.trace, start=1)]
        return "\n".join([f"{self.problem or 'all well'} ({self.worlds} worlds, {self.moves} moves)", *steps])


def search(first: World, model: Model[World]) -> Found:
    """Searches all worlds until a property is broken; where none is, each must have a fair way to an end."""
    with _no_collector():
        return _Search(first).run(model)


class _Search(Generic[World]):
    """Worlds are numbered as they are found, and hashed once a move: all else is about numbers.

    Nothing depends on the order of a set or on the hash of a string, so each run finds the same shortest way.
    """

    def __init__(self, first: World) -> None:
        self._worlds = [first]
        self._numbers = {first: 0}
        self._came: list[tuple[int, str]] = [(-1, "")]
        """From which world, and by which move, each was found."""
        self._ways_back: list[list[int]] = [[]]

    def run(self, model: Model[World]) -> Found:
        found = Found()
        for number, world in enumerate(self._worlds):  # which grows meanwhile
            for move in model.moves(world):
                found.moves += 1
                problem = model.broken(world, move.world)
                after = self._number(model.one_of(move.world), move.what, number)
                if move.fair:
                    self._ways_back[after].append(number)
                if problem:
                    found.worlds, found.problem = len(self._worlds), problem
                    found.trace = [*self._steps(number), move.what]
                    return found
        found.worlds = len(self._worlds)
        ending = self._can_end(model.over)
        for number, world in enumerate(self._worlds):
            if not ending[number]:
                found.problem = "from here nothing leads to an end"
                found.trace = [*self._steps(number), str(world)]
                break
        return found

    def _number(self, world: World, what: str, before: int) -> int:
        number = self._numbers.setdefault(world, len(self._worlds))
        if number == len(self._worlds):
            self._worlds.append(world)
            self._came.append((before, what))
            self._ways_back.append([])
        return number

    def _can_end(self, over: Callable[[World], bool]) -> bytearray:
        """Answers for each world whether fair moves alone lead to one where everything has ended."""
        ending = bytearray(over(world) for world in self._worlds)
        waiting = [number for number, is_over in enumerate(ending) if is_over]
        while waiting:
            for before in self._ways_back[waiting.pop()]:
                if not ending[before]:
                    ending[before] = True
                    waiting.append(before)
        return ending

    def _steps(self, number: int) -> list[str]:
        steps = []
        while number > 0:
            number, what = self._came[number]
            steps.append(what)
        return steps[::-1]


@contextmanager
def _no_collector() -> Iterator[None]:
    """Keeps Python from looking for cycles, of which there are none, among hundreds of thousands of small tuples."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
