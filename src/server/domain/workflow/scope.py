"""What a template or a condition may speak of where it stands, checked when a workflow is saved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from server.domain.violation import Violations, why_unstorable
from server.domain.workflow.context import ROOTS, Shape
from server.domain.workflow.definition import Json
from server.domain.workflow.language import Path, TemplateProblem, is_template, parse_condition, parse_template


@dataclass(frozen=True, slots=True)
class Scope:
    """The roots of all, and of the nodes of the workflow those that can have run before, with what they have."""

    before: Mapping[str, Mapping[str, Shape]] = field(default_factory=dict)
    others: frozenset[str] = frozenset()
    """Names of nodes that have not: for a sentence that says so."""
    with_nodes: bool = True

    def problem_of(self, path: Path) -> str | None:
        """Says what is wrong with speaking of `path`, if anything is."""
        root, *rest = path
        if root == "nodes" and self.with_nodes:
            return self._node_problem(rest)
        if root not in ROOTS:
            roots = [*ROOTS, "nodes"] if self.with_nodes else [*ROOTS]
            return f"there is no `{root[:100]}` here; there are {', '.join(roots)}"
        return _shape_problem(root, rest, ROOTS[root])

    def _node_problem(self, rest: list[str]) -> str | None:
        if not rest:
            return "`nodes` alone says nothing: name a step, as in `nodes.check.status`"
        name, *fields = rest
        if name in self.before:
            return _shape_problem(f"nodes.{name}", fields, self.before[name])
        if name in self.others:
            return f"the step `{name}` cannot have run before this"
        return f"there is no step `{name[:100]}`"


def _shape_problem(so_far: str, rest: list[str], shape: Shape) -> str | None:
    for name in rest:
        if shape is None:
            return None
        if name not in shape:
            members = ", ".join(shape)
            return f"there is no `{so_far}.{name[:100]}`; there " + (
                f"are {members}" if members else "is nothing in it"
            )
        so_far, shape = f"{so_far}.{name}", shape[name]
    return None


def check_text(violations: Violations, path: str, text: str, scope: Scope, *, longest: int) -> None:
    """Checks a text that may be a template, of at most `longest` characters as it was written."""
    violations.text(path, text, longest=longest)
    if len(text) <= longest and is_template(text):
        try:
            _check_names(violations, path, parse_template(text).names(), scope)
        except TemplateProblem as problem:
            violations.add(path, str(problem))


def check_condition(violations: Violations, path: str, text: str, scope: Scope) -> None:
    try:
        _check_names(violations, path, parse_condition(text).names(), scope)
    except TemplateProblem as problem:
        violations.add(path, str(problem))


def check_json(violations: Violations, path: str, value: Json, scope: Scope, *, longest: int, depth: int = 0) -> None:
    """Checks all texts in a value, at their paths; keys are none of them templates."""
    if depth > 20:
        violations.add(path, "must not nest more than 20 deep")
    elif isinstance(value, str):
        check_text(violations, path, value, scope, longest=longest)
    elif isinstance(value, Mapping):
        for key, member in value.items():
            if unstorable := why_unstorable(key):
                violations.add(path, unstorable)
            check_json(violations, f"{path}.{key[:100]}", member, scope, longest=longest, depth=depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            check_json(violations, f"{path}[{index}]", item, scope, longest=longest, depth=depth + 1)
    elif isinstance(value, float) and value - value != 0:  # not finite
        violations.add(path, "must be a finite number")


def _check_names(violations: Violations, path: str, names: Iterable[Path], scope: Scope) -> None:
    for name in sorted(names):
        if problem := scope.problem_of(name):
            violations.add(path, problem)
