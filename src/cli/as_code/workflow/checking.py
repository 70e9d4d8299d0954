"""What is wrong with a workflow's file that no single field shows."""

from __future__ import annotations

from collections.abc import Iterator

from cli.as_code.checking import Format, suggestion
from cli.as_code.problem import Path
from cli.as_code.workflow.form import FORMAT, WORKS, Edge, Node, WorkflowForm


def _contradictions(filled: WorkflowForm) -> Iterator[tuple[Path, str]]:
    if filled.trigger.condition and filled.trigger.event == "manual":
        yield ("trigger", "condition"), "does not apply to manual: whoever runs it decides"
    known: dict[str, Node] = {}
    for index, node in enumerate(filled.nodes):
        if node.name in known:
            yield ("nodes", index, "name"), f"names {node.name} a second time"
        known[node.name] = node
        works = [work for work in WORKS if getattr(node, work) is not None]
        if not works:
            yield ("nodes", index), f"must do something: one of {', '.join(WORKS)}"
        for work in works[1:]:
            yield ("nodes", index, work), f"is one thing too many: this step has {works[0]} already"
    for index, edge in enumerate(filled.edges):
        for field, sentence in _wrong_ends(edge, known):
            yield ("edges", index, field), sentence


def _wrong_ends(edge: Edge, known: dict[str, Node]) -> Iterator[tuple[str, str]]:
    for field, name in (("from_node", edge.from_node), ("to_node", edge.to_node)):
        if name not in known:
            yield field, f"there is no step {name}" + suggestion(name, known)
    source = known.get(edge.from_node)
    if edge.on in {"true", "false"} and source is not None and source.condition is None:
        yield "on", f"must be success, failure or always, for {source.name} is no condition"


WORKFLOWS = Format(FORMAT, WorkflowForm, _contradictions)
