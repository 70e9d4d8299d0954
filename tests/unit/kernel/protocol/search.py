"""The search over this protocol's worlds."""

from __future__ import annotations

from tests.unit.kernel.protocol.moves import Bounds, moves
from tests.unit.kernel.protocol.properties import broken
from tests.unit.kernel.protocol.rows import Row, Rules
from tests.unit.kernel.protocol.world import Executor, World
from tests.unit.state_search import Found, Model
from tests.unit.state_search import search as search_worlds


def search(rows: tuple[Row, ...], executors: int, rules: Rules | None = None, bounds: Bounds | None = None) -> Found:
    """Searches all worlds until a property is broken; where none is, each must have a fair way to an end."""
    first = World(rows, (True,) * len(rows), (Executor(),) * executors, starts=(0,) * len(rows))
    rules, bounds, order = rules or Rules(), bounds or Bounds(), dict[Executor, int]()

    def one_of(world: World) -> World:
        """Executors are alike: worlds that differ in their order only are one."""
        if len(world.executors) < 2:
            return world
        ranked = sorted(world.executors, key=lambda executor: order.setdefault(executor, len(order)))
        return world._replace(executors=tuple(ranked))

    return search_worlds(first, Model(lambda world: moves(world, rules, bounds), broken, lambda w: w.over, one_of))
