"""What expressions are made of while they are evaluated: plain JSON, and what is not there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from jinja2 import nodes

from server.domain.violation import why_unstorable

MOST_STEPS = 20_000
LONGEST_TEXT = 64 * 1024
"""Characters of any text that comes to be on the way; of a result also its bytes as JSON."""
GREATEST_NUMBER = 2**53

Value: TypeAlias = Any
"""JSON: None, bool, int, float, str, list and Mapping."""


class TemplateProblem(ValueError):
    """Says in a sentence, without a full stop, why a text cannot be read or filled in. It repeats no value."""


class Open(dict[str, Value]):
    """An object that may lack any member: one that is not there can be compared, and counts as null then."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What was asked for and is not there; `open`: in an `Open` object."""

    path: str
    open: bool = False

    def problem(self) -> TemplateProblem:
        return TemplateProblem(f"{self.path[:200]} is not there")


class Budget:
    """What may still be done. A step is a node evaluated, or 128 characters or 16 items touched."""

    def __init__(self, steps: int = MOST_STEPS) -> None:
        self._left = steps
        self._written = 0

    def spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise TemplateProblem("it takes too much work")

    def text(self, length: int) -> None:
        """Pays for a text of so many characters before it is made."""
        if length > LONGEST_TEXT:
            raise TemplateProblem(f"it makes a text of more than {LONGEST_TEXT:,} characters")
        self.spend(length >> 7)

    def write(self, length: int) -> None:
        """Pays for so many characters of the result, of which there may be 64 Ki in all."""
        self._written += length
        self.text(self._written if self._written > LONGEST_TEXT else length)

    def weigh(self, value: Value) -> None:
        """Pays for going through all of `value`, however often it has the same parts."""
        if isinstance(value, str):
            self.spend(len(value) >> 7)
            return
        weight, stack = 0, [value]
        while stack:
            item = stack.pop()
            weight += 1
            if isinstance(item, str):
                weight += len(item) >> 3
            elif isinstance(item, Mapping):
                weight += 2 * len(item)
                stack.extend(item.values())
            elif isinstance(item, list | tuple):
                weight += len(item)
                stack.extend(item)
            if weight >> 4 > self._left:
                break
        self.spend(weight >> 4)


def there(value: Value) -> Value:
    """Answers a value that is there."""
    if isinstance(value, Missing):
        raise value.problem()
    return value


def is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_whole(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def truth(value: Value) -> bool:
    """Null, false, 0 and what is empty are false, and so is what an open object lacks."""
    if isinstance(value, Missing) and value.open:
        return False
    return bool(there(value))


def is_bounded(number: float) -> bool:
    """Whether a number has at most 53 bits; infinity and what is no number have not."""
    return abs(number) <= GREATEST_NUMBER


def in_bounds(number: float) -> float:
    if not is_bounded(number):
        raise TemplateProblem("it makes a number of more than 53 bits")
    return number


def as_text(value: Value, budget: Budget) -> str:
    """Answers a text as it is, and anything else as JSON."""
    if isinstance(value, str):
        return value
    budget.weigh(there(value))
    text = json.dumps(value, ensure_ascii=False)
    budget.text(len(text))
    return text


def as_result(value: Value, budget: Budget) -> Value:
    """Answers a value that can be kept and sent: within its size, and storable."""
    budget.weigh(there(value))
    form = json.dumps(value, ensure_ascii=False)
    if len(form) > LONGEST_TEXT or len(form.encode(errors="replace")) > LONGEST_TEXT:
        raise TemplateProblem(f"it makes more than {LONGEST_TEXT:,} bytes")
    if unstorable := why_unstorable(form) or ("must not contain the NUL character" if "\\u0000" in form else None):
        raise TemplateProblem(f"what it makes {unstorable}")
    return value


def unexpected(node: nodes.Node) -> TemplateProblem:
    return TemplateProblem(f"`{type(node).__name__.lower()}` is not part of the language")
