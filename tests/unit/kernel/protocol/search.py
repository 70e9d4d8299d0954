"""A breadth-first search over every world that can be reached, so that what it finds is the shortest way to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.unit.kernel.protocol.moves import Bounds, moves
from tests.unit.kernel.protocol.properties import broken
from tests.unit.kernel.protocol.rows import Row, Rules
from tests.unit.kernel.protocol.world import Executor, World


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


def search(rows: tuple[Row, ...], executors: int, rules: Rules | None = None, bounds: Bounds | None = None) -> Found:
    """Searches all worlds until a property is broken; where none is, each must have a fair way to an end."""
    rules, bounds = rules or Rules(), bounds or Bounds()
    first = World(rows, (True,) * len(rows), (Executor(),) * executors, starts=(0,) * len(rows))
    parents: dict[World, tuple[World, str] | None] = {first: None}
    ways_back: dict[World, list[World]] = {}
    waiting = deque([first])
    found = Found()
    while waiting:
        world = waiting.popleft()
        for move in moves(world, rules, bounds):
            found.moves += 1
            problem = broken(world, move.world)
            # Executors are alike: worlds that differ in their order only are one.
            after = move.world._replace(executors=tuple(sorted(move.world.executors, key=_order)))
            if move.fair:
                ways_back.setdefault(after, []).append(world)
            if after not in parents:
                parents[after] = (world, move.what)
                waiting.append(after)
            if problem:
                found.worlds, found.problem = len(parents), problem
                found.trace = [*_steps(parents, world), move.what]
                return found
    found.worlds = len(parents)
    ending = _can_end(parents, ways_back)
    for world in parents:
        if world not in ending:
            found.problem, found.trace = "from here nothing leads to an end", [*_steps(parents, world), str(world)]
            break
    return found


def _can_end(worlds: dict[World, tuple[World, str] | None], ways_back: dict[World, list[World]]) -> set[World]:
    """Answers the worlds from which fair moves alone lead to one where everything has ended."""
    ending = {world for world in worlds if world.over}
    waiting = deque(ending)
    while waiting:
        for before in ways_back.get(waiting.popleft(), ()):
            if before not in ending:
                ending.add(before)
                waiting.append(before)
    return ending


def _steps(parents: dict[World, tuple[World, str] | None], world: World) -> list[str]:
    return list(_backwards(parents, world))[::-1]


def _backwards(parents: dict[World, tuple[World, str] | None], world: World) -> Iterator[str]:
    while (parent := parents[world]) is not None:
        world, what = parent
        yield what


def _order(executor: Executor) -> int:
    return hash(executor)
