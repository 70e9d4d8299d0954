"""Evaluates expressions that `syntax` has found good, out of a budget: no attributes, no calls but of filters."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from jinja2 import nodes

from server.domain.workflow.comparison import compare
from server.domain.workflow.filters import FILTERS, TESTS
from server.domain.workflow.value import (
    Budget,
    Missing,
    Open,
    TemplateProblem,
    Value,
    as_text,
    in_bounds,
    is_number,
    is_whole,
    there,
    truth,
    unexpected,
)

Scope = Mapping[str, Value]

_ARITHMETIC: Mapping[type[nodes.Node], Callable[[Any, Any], Any]] = {
    nodes.Add: operator.add,
    nodes.Sub: operator.sub,
    nodes.Mul: operator.mul,
    nodes.Div: operator.truediv,
    nodes.FloorDiv: operator.floordiv,
    nodes.Mod: operator.mod,
}


class Evaluation:
    """Evaluates; several may share a budget."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget

    def value(self, node: nodes.Expr, scope: Scope) -> Value:
        """Answers a value that is there."""
        return there(self.maybe(node, scope))

    def maybe(self, node: nodes.Expr, scope: Scope) -> Value:
        """Answers a value, or `Missing`."""
        self.budget.spend(1)
        known = self._KINDS.get(type(node))
        if known is None:
            raise unexpected(node)
        return known(self, node, scope)

    def _name(self, node: nodes.Name, scope: Scope) -> Value:
        return scope[node.name] if node.name in scope else Missing(node.name)

    def _constant(self, node: nodes.Const, scope: Scope) -> Value:
        return node.value

    def _member(self, node: nodes.Getattr, scope: Scope) -> Value:
        return _look_up(self.maybe(node.node, scope), node.attr, node)

    def _item(self, node: nodes.Getitem, scope: Scope) -> Value:
        holder = self.maybe(node.node, scope)
        if isinstance(node.arg, nodes.Slice):
            return self._slice(there(holder), node.arg, scope)
        return _look_up(holder, self.value(node.arg, scope), node)

    def _slice(self, holder: Value, node: nodes.Slice, scope: Scope) -> Value:
        ends = [None if end is None else self.value(end, scope) for end in (node.start, node.stop)]
        if not isinstance(holder, str | list | tuple) or not all(end is None or is_whole(end) for end in ends):
            raise TemplateProblem("only texts and lists can be cut, at whole numbers")
        self.budget.spend(len(holder) >> 4)
        return holder[ends[0] : ends[1]]

    def _list(self, node: nodes.List | nodes.Tuple, scope: Scope) -> Value:
        return [self.value(item, scope) for item in node.items]

    def _object(self, node: nodes.Dict, scope: Scope) -> Value:
        keys = [self.value(pair.key, scope) for pair in node.items]
        if not all(isinstance(key, str) for key in keys):
            raise TemplateProblem("the keys of an object are texts")
        return dict(zip(keys, (self.value(pair.value, scope) for pair in node.items), strict=True))

    def _and(self, node: nodes.And, scope: Scope) -> Value:
        left = self.maybe(node.left, scope)
        return self.maybe(node.right, scope) if truth(left) else left

    def _or(self, node: nodes.Or, scope: Scope) -> Value:
        left = self.maybe(node.left, scope)
        return left if truth(left) else self.maybe(node.right, scope)

    def _not(self, node: nodes.Not, scope: Scope) -> Value:
        return not truth(self.maybe(node.node, scope))

    def _either(self, node: nodes.CondExpr, scope: Scope) -> Value:
        chosen = node.expr1 if truth(self.maybe(node.test, scope)) or node.expr2 is None else node.expr2
        return self.maybe(chosen, scope)

    def _sign(self, node: nodes.Neg | nodes.Pos, scope: Scope) -> Value:
        value = self.value(node.node, scope)
        if not is_number(value):
            raise TemplateProblem("only numbers have a sign")
        return -value if isinstance(node, nodes.Neg) else value

    def _arithmetic(self, node: nodes.BinExpr, scope: Scope) -> Value:
        left, right = self.value(node.left, scope), self.value(node.right, scope)
        if isinstance(node, nodes.Add) and isinstance(left, str) and isinstance(right, str):
            self.budget.text(len(left) + len(right))
            return left + right
        if not is_number(left) or not is_number(right):
            raise TemplateProblem("only numbers can be reckoned with; texts are joined by `~`")
        if right == 0 and isinstance(node, nodes.Div | nodes.FloorDiv | nodes.Mod):
            raise TemplateProblem("it divides by zero")
        return in_bounds(_ARITHMETIC[type(node)](in_bounds(left), in_bounds(right)))

    def _concatenation(self, node: nodes.Concat, scope: Scope) -> Value:
        parts = [as_text(self.value(part, scope), self.budget) for part in node.nodes]
        self.budget.text(sum(map(len, parts)))
        return "".join(parts)

    def _comparison(self, node: nodes.Compare, scope: Scope) -> Value:
        left = self.maybe(node.expr, scope)
        for operand in node.ops:
            right = self.maybe(operand.expr, scope)
            if not compare(operand.op, left, right, self.budget):
                return False
            left = right
        return True

    def _filter(self, node: nodes.Filter, scope: Scope) -> Value:
        if node.node is None:
            raise unexpected(node)
        value = self.maybe(node.node, scope)
        args = [self.value(arg, scope) for arg in node.args]
        named = {str(keyword.key): self.value(keyword.value, scope) for keyword in node.kwargs}
        return FILTERS[node.name](self.budget, value, *args, **named)

    def _test(self, node: nodes.Test, scope: Scope) -> Value:
        return TESTS[node.name](self.maybe(node.node, scope))

    _KINDS: ClassVar[Mapping[type[nodes.Node], Callable[[Any, Any, Scope], Value]]] = {
        nodes.Name: _name,
        nodes.Const: _constant,
        nodes.Getattr: _member,
        nodes.Getitem: _item,
        nodes.List: _list,
        nodes.Tuple: _list,
        nodes.Dict: _object,
        nodes.And: _and,
        nodes.Or: _or,
        nodes.Not: _not,
        nodes.CondExpr: _either,
        nodes.Neg: _sign,
        nodes.Pos: _sign,
        nodes.Concat: _concatenation,
        nodes.Compare: _comparison,
        nodes.Filter: _filter,
        nodes.Test: _test,
        nodes.Add: _arithmetic,
        nodes.Sub: _arithmetic,
        nodes.Mul: _arithmetic,
        nodes.Div: _arithmetic,
        nodes.FloorDiv: _arithmetic,
        nodes.Mod: _arithmetic,
    }


def _look_up(holder: Value, key: Value, node: nodes.Expr) -> Value:
    """Answers a member of an object or an item of a list or a text; nothing else has any."""
    if isinstance(holder, Missing):
        return Missing(_path(node), holder.open)
    if isinstance(holder, Mapping) and isinstance(key, str):
        return holder[key] if key in holder else Missing(_path(node), isinstance(holder, Open))
    if isinstance(holder, str | list | tuple) and is_whole(key) and -len(holder) <= key < len(holder):
        return holder[key]
    return Missing(_path(node))


def _path(node: nodes.Expr) -> str:
    """Answers how a reference is written, for a sentence."""
    match node:
        case nodes.Name():
            return node.name
        case nodes.Getattr():
            return f"{_path(node.node)}.{node.attr}"
        case nodes.Getitem():
            key = node.arg.value if isinstance(node.arg, nodes.Const) else "…"
            return f"{_path(node.node)}.{key}"
    return "…"
