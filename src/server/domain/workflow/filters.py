"""All that expressions can do to a value besides operators: Jinja's filters of these names, bounded, and `lines`.

Where Jinja would guess, these refuse: `int` of what is no number is a problem, not 0, unless a default is given.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from server.domain.workflow.value import (
    Budget,
    Missing,
    TemplateProblem,
    Value,
    as_text,
    in_bounds,
    is_number,
    there,
    truth,
)

Filter = Callable[..., Value]
LONGEST_NUMERAL = 40


def default(budget: Budget, value: Value, default_value: Value = "", boolean: Value = False) -> Value:
    """Answers `default_value` for what is not there; with `boolean` also for what is false."""
    absent = isinstance(value, Missing) or (truth(there(boolean)) and not truth(value))
    return there(default_value) if absent else value


def length(budget: Budget, value: Value) -> Value:
    if not isinstance(there(value), str | list | tuple | Mapping):
        raise TemplateProblem("only texts, lists and objects have a length")
    return len(value)


def lower(budget: Budget, value: Value) -> Value:
    return _made(budget, _text(budget, value).lower())


def upper(budget: Budget, value: Value) -> Value:
    return _made(budget, _text(budget, value).upper())


def trim(budget: Budget, value: Value) -> Value:
    return _text(budget, value).strip()


def replace(budget: Budget, value: Value, old: Value, new: Value) -> Value:
    text, old, new = _text(budget, value), _text(budget, old), _text(budget, new)
    budget.text(len(text) + text.count(old) * (len(new) - len(old)) if len(new) > len(old) else len(text))
    return text.replace(old, new)


def truncate(budget: Budget, value: Value, at: Value = 255) -> Value:
    """Cuts to `at` characters, an ellipsis included; not at words, unlike Jinja's."""
    text = _text(budget, value)
    if not isinstance(at, int) or isinstance(at, bool) or at < 1:
        raise TemplateProblem("truncate wants a length of at least 1")
    return text if len(text) <= at else text[: at - 1] + "…"


def lines(budget: Budget, value: Value) -> Value:
    text = _text(budget, value)
    budget.spend(text.count("\n") >> 2)
    return text.splitlines()


def join(budget: Budget, value: Value, between: Value = "") -> Value:
    parts, between = [as_text(item, budget) for item in _items(budget, value)], _text(budget, between)
    budget.text(sum(map(len, parts)) + len(between) * len(parts))
    return between.join(parts)


def first(budget: Budget, value: Value) -> Value:
    items = _items(budget, value)
    return items[0] if items else Missing("the first of an empty list")


def last(budget: Budget, value: Value) -> Value:
    items = _items(budget, value)
    return items[-1] if items else Missing("the last of an empty list")


def least(budget: Budget, value: Value) -> Value:
    items = _comparable(budget, value)
    return min(items) if items else Missing("the least of an empty list")


def greatest(budget: Budget, value: Value) -> Value:
    items = _comparable(budget, value)
    return max(items) if items else Missing("the greatest of an empty list")


def sort(budget: Budget, value: Value, reverse: Value = False) -> Value:
    return sorted(_comparable(budget, value), reverse=truth(there(reverse)))


def unique(budget: Budget, value: Value) -> Value:
    return list(dict.fromkeys(_comparable(budget, value)))


def total(budget: Budget, value: Value) -> Value:
    items = _items(budget, value)
    if not all(map(is_number, items)):
        raise TemplateProblem("sum wants a list of numbers")
    return in_bounds(sum(map(in_bounds, items)))


def absolute(budget: Budget, value: Value) -> Value:
    return abs(_number(value))


def rounded(budget: Budget, value: Value, precision: Value = 0) -> Value:
    """Rounds halves to even; to a whole number without `precision`."""
    if precision not in range(11) or isinstance(precision, bool):
        raise TemplateProblem("round wants a precision of 0 to 10")
    return round(_number(value), int(precision) or None)


def whole(budget: Budget, value: Value, default_value: Value = None) -> Value:
    return _converted(value, default_value, lambda number: int(float(number)) if "." in str(number) else int(number))


def decimal(budget: Budget, value: Value, default_value: Value = None) -> Value:
    return _converted(value, default_value, float)


def string(budget: Budget, value: Value) -> Value:
    return as_text(there(value), budget)


def to_json(budget: Budget, value: Value) -> Value:
    budget.weigh(there(value))
    return _made(budget, json.dumps(value, ensure_ascii=False))


def url_encode(budget: Budget, value: Value) -> Value:
    """Writes a text so that it may stand anywhere in an address."""
    text = _text(budget, value)
    budget.text(9 * len(text))
    return quote(text, safe="", errors="replace")


def pairs(budget: Budget, value: Value) -> Value:
    if not isinstance(there(value), Mapping):
        raise TemplateProblem("items wants an object")
    budget.spend(len(value) >> 2)
    return [[key, member] for key, member in value.items()]


FILTERS: Mapping[str, Filter] = {
    "abs": absolute,
    "count": length,
    "d": default,
    "default": default,
    "first": first,
    "float": decimal,
    "int": whole,
    "items": pairs,
    "join": join,
    "last": last,
    "length": length,
    "lines": lines,
    "lower": lower,
    "max": greatest,
    "min": least,
    "replace": replace,
    "round": rounded,
    "sort": sort,
    "string": string,
    "sum": total,
    "tojson": to_json,
    "trim": trim,
    "truncate": truncate,
    "unique": unique,
    "upper": upper,
    "urlencode": url_encode,
}

TESTS: Mapping[str, Callable[[Value], bool]] = {
    "boolean": lambda value: isinstance(there(value), bool),
    "defined": lambda value: not isinstance(value, Missing),
    "mapping": lambda value: isinstance(there(value), Mapping),
    "none": lambda value: there(value) is None,
    "number": lambda value: is_number(there(value)),
    "sequence": lambda value: isinstance(there(value), list | tuple),
    "string": lambda value: isinstance(there(value), str),
    "undefined": lambda value: isinstance(value, Missing),
}

_SIGNATURES = {name: inspect.signature(made) for name, made in FILTERS.items()}


def takes(name: str, positional: int, named: Sequence[str]) -> bool:
    """Whether a filter takes so many arguments and those of these names, besides what it filters."""
    try:
        _SIGNATURES[name].bind(None, None, *[None] * positional, **dict.fromkeys(named))
    except TypeError:
        return False
    return True


def _text(budget: Budget, value: Value) -> str:
    if not isinstance(there(value), str):
        raise TemplateProblem("this filter wants a text")
    budget.text(len(value))
    return str(value)


def _made(budget: Budget, text: str) -> str:
    budget.text(len(text))
    return text


def _items(budget: Budget, value: Value) -> list[Value]:
    if not isinstance(there(value), list | tuple):
        raise TemplateProblem("this filter wants a list")
    budget.spend(len(value) >> 3)
    return list(value)


def _comparable(budget: Budget, value: Value) -> list[Any]:
    """Answers a list of numbers alone, or of texts alone."""
    items = _items(budget, value)
    if not (all(map(is_number, items)) or all(isinstance(item, str) for item in items)):
        raise TemplateProblem("this filter wants a list of numbers alone or of texts alone")
    budget.weigh(items)
    return items


def _number(value: Value) -> float:
    if not is_number(there(value)):
        raise TemplateProblem("this filter wants a number")
    return in_bounds(value)


def _converted(value: Value, default_value: Value, convert: Callable[[Any], float]) -> Value:
    there(value)
    try:
        if is_number(value) or (isinstance(value, str) and len(value) <= LONGEST_NUMERAL):
            return in_bounds(convert(value))
    except (ValueError, OverflowError):
        pass
    if default_value is None:
        raise TemplateProblem("it is not a number")
    return there(default_value)
