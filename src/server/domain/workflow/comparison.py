"""Compares values as JSON has them, out of a budget."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from server.domain.workflow.value import Budget, Missing, TemplateProblem, Value, is_number, there

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
}


def compare(op: str, left: Value, right: Value, budget: Budget) -> bool:
    """Answers one comparison; `op` is the name that Jinja's parser gives it."""
    if op in {"in", "notin"}:
        return _contains(_or_null(right), _or_null(left), budget) is (op == "in")
    if op in {"eq", "ne"}:
        return _equal(_or_null(left), _or_null(right), budget) is (op == "eq")
    left, right = there(left), there(right)
    texts = isinstance(left, str) and isinstance(right, str)
    if not texts and not (is_number(left) and is_number(right)):
        raise TemplateProblem("only numbers can be ordered, and texts")
    budget.weigh(left)
    return _ORDER[op](left, right)


def _equal(left: Value, right: Value, budget: Budget) -> bool:
    budget.weigh(left)
    budget.weigh(right)
    return _same(left, right)


def _contains(holder: Value, item: Value, budget: Budget) -> bool:
    budget.weigh(holder)
    match holder:
        case None:
            return False
        case str():
            if not isinstance(item, str):
                raise TemplateProblem("a text contains texts alone")
            return item in holder
        case list() | tuple():
            if isinstance(item, str | int | float | None):
                return any(_same(item, member) for member in holder)
            return any(_equal(item, member, budget) for member in holder)
        case Mapping():
            return isinstance(item, str) and item in holder
    raise TemplateProblem("only texts, lists and objects contain anything")


def _or_null(value: Value) -> Value:
    """Answers null for what an open object lacks: that may be compared."""
    return None if isinstance(value, Missing) and value.open else there(value)


def _same(left: Value, right: Value) -> bool:
    """As JSON has it: true is not 1."""
    return isinstance(left, bool) is isinstance(right, bool) and bool(left == right)
