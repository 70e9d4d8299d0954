"""The shape of a workflow: what leads where, in which order, and whether in a circle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from server.domain.workflow.definition import Edge


def edges_into(names: Iterable[str], edges: Iterable[Edge]) -> dict[str, list[Edge]]:
    """Answers the edges into each node, by name; every name has a list."""
    found: dict[str, list[Edge]] = {name: [] for name in names}
    for edge in edges:
        found[edge.target].append(edge)
    return found


def in_order(incoming: Mapping[str, Sequence[Edge]]) -> list[str]:
    """Answers the names so that each comes after all that lead to it. Raises CycleError where edges make a circle."""
    sorter = TopologicalSorter({name: [edge.source for edge in edges] for name, edges in incoming.items()})
    return list(sorter.static_order())


def circle_in(incoming: Mapping[str, Sequence[Edge]]) -> list[str]:
    """Answers the names along a circle, the first again at the end; empty where there is none."""
    try:
        in_order(incoming)
    except CycleError as error:
        circle: list[str] = error.args[1]
        return circle
    return []


def ancestors(incoming: Mapping[str, Sequence[Edge]]) -> dict[str, frozenset[str]]:
    """Answers, of each node of a graph without a circle, all nodes from which a way leads to it."""
    found: dict[str, frozenset[str]] = {}
    for name in in_order(incoming):
        sources = {edge.source for edge in incoming[name]}
        found[name] = frozenset(sources).union(*(found[source] for source in sources))
    return found
