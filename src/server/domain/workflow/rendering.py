"""Renders the statements of a template: texts, expressions, `if` and `for`."""

from __future__ import annotations

from jinja2 import nodes

from server.domain.workflow.evaluation import Evaluation, Scope
from server.domain.workflow.syntax import targets
from server.domain.workflow.value import Budget, TemplateProblem, Value, as_text, truth, unexpected


class Rendering:
    """One template that is rendered."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._expressions = Evaluation(budget)

    def render(self, body: list[nodes.Node], scope: Scope, pieces: list[str]) -> None:
        """Appends the text of statements to `pieces`."""
        for node in body:
            self._budget.spend(1)
            match node:
                case nodes.Output():
                    for part in node.nodes:
                        self._write(part, scope, pieces)
                case nodes.If():
                    self.render(self._branch(node, scope), scope, pieces)
                case nodes.For():
                    self._loop(node, scope, pieces)
                case _:
                    raise unexpected(node)

    def _write(self, part: nodes.Expr, scope: Scope, pieces: list[str]) -> None:
        if isinstance(part, nodes.TemplateData):
            text = part.data
        else:
            text = as_text(self._expressions.value(part, scope), self._budget)
        self._budget.write(len(text))
        pieces.append(text)

    def _branch(self, node: nodes.If, scope: Scope) -> list[nodes.Node]:
        for choice in (node, *node.elif_):
            if self._holds(choice.test, scope):
                return choice.body
        return node.else_

    def _holds(self, test: nodes.Node, scope: Scope) -> bool:
        return isinstance(test, nodes.Expr) and truth(self._expressions.maybe(test, scope))

    def _loop(self, node: nodes.For, scope: Scope, pieces: list[str]) -> None:
        if not isinstance(node.iter, nodes.Expr):
            raise unexpected(node.iter)
        items, names = self._expressions.value(node.iter, scope), targets(node)
        if not isinstance(items, list | tuple):
            raise TemplateProblem("a loop wants a list; of an object, use `|items`")
        self._budget.spend(len(items))
        if node.test:
            items = [item for item in items if self._holds(node.test, {**scope, **_bind(names, item)})]
        for index, item in enumerate(items):
            bound = {**scope, **_bind(names, item), "loop": _loop_facts(index, len(items))}
            self.render(node.body, bound, pieces)
        if not items:
            self.render(node.else_, scope, pieces)


def _bind(names: list[str], item: Value) -> dict[str, Value]:
    if len(names) == 1:
        return {names[0]: item}
    if not isinstance(item, list | tuple) or len(item) != len(names):
        raise TemplateProblem(f"the items of this loop do not have {len(names)} parts")
    return dict(zip(names, item, strict=True))


def _loop_facts(index: int, length: int) -> dict[str, Value]:
    return {"index": index + 1, "index0": index, "first": index == 0, "last": index == length - 1, "length": length}
