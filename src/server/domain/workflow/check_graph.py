"""Checks what leads from step to step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from server.domain.violation import Violations
from server.domain.workflow import setting
from server.domain.workflow.definition import Edge, On
from server.domain.workflow.draft import ConditionDraft, EdgeDraft, NodeDraft
from server.domain.workflow.graph import circle_in, edges_into

_KINDS = {"": On.SUCCESS, **On.__members__}
_OF_CONDITIONS = frozenset({On.TRUE, On.FALSE})
_OUTCOMES = (
    frozenset({On.SUCCESS, On.ALWAYS, On.TRUE}),
    frozenset({On.SUCCESS, On.ALWAYS, On.FALSE}),
    frozenset({On.FAILURE, On.ALWAYS}),
)
"""For each way in which a node may end, the edges that are taken then."""


def check_edges(
    violations: Violations, drafts: Sequence[EdgeDraft], nodes: Sequence[NodeDraft]
) -> tuple[Edge, ...] | None:
    """Answers the edges; None after noting what is wrong with any. The nodes' names need not be good, nor unique.

    In a graph without a circle every node can be reached: one to which nothing leads begins at once.
    """
    found = Violations()
    if len(drafts) > setting.MOST_EDGES:
        violations.add("workflow.edges", f"must be at most {setting.MOST_EDGES}")
        return None
    by_name = {node.name: node for node in nodes}
    edges = [_check_edge(found, f"workflow.edges[{index}]", draft, by_name) for index, draft in enumerate(drafts)]
    if violations.include(found):
        return None
    good = tuple(edge for edge in edges if edge)
    if len(set(good)) < len(good):
        found.add("workflow.edges", "must not have the same edge twice")
    incoming = edges_into(by_name, good)
    if circle := circle_in(incoming):
        found.add("workflow.edges", f"must not make a circle: {' → '.join(circle[:20])}")
    for index, node in enumerate(nodes):
        if node.join == "ALL" and not _can_all_be_taken(incoming[node.name]):
            found.add(f"workflow.nodes[{index}].join", "can never be: of the edges into it, two exclude one another")
    return None if violations.include(found) else good


def _check_edge(violations: Violations, path: str, draft: EdgeDraft, nodes: Mapping[str, NodeDraft]) -> Edge | None:
    for field, name in (("from_node", draft.source), ("to_node", draft.target)):
        if name not in nodes:
            violations.add(f"{path}.{field}", "must be the name of a step")
    on = _KINDS.get(draft.on)
    if on is None:
        violations.add(f"{path}.on", "must be one of " + ", ".join(On))
    elif on in _OF_CONDITIONS and draft.source in nodes and not _is_condition(nodes[draft.source]):
        violations.add(f"{path}.on", f"{on} leaves conditions alone")
    return Edge(draft.source, draft.target, on) if on else None


def _is_condition(node: NodeDraft) -> bool:
    return isinstance(node.work, ConditionDraft)


def _can_all_be_taken(edges: Sequence[Edge]) -> bool:
    """Whether of each source there is an outcome with which all edges from it are taken."""
    kinds: dict[str, set[On]] = {}
    for edge in edges:
        kinds.setdefault(edge.source, set()).add(edge.on)
    return all(any(wanted <= taken for taken in _OUTCOMES) for wanted in kinds.values())
