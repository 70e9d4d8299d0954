"""The one language of workflows: templates and conditions in Jinja's syntax, over plain JSON and nothing else.

Jinja reads the text; what it read is then held against a list of what may stand there, and evaluated here, step by
step, out of a budget. No Python code is made of it, no attribute is ever looked up (`a.b` is the member `b` of a JSON
object), and nothing can be called but the filters of `filters`. So there is nothing to break out of, and what a text may
cost is counted, not timed: the same text with the same values has the same answer on a busy machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from server.domain.workflow.definition import Json

LONGEST_TEMPLATE = 10_000
LONGEST_CONDITION = 1_000

Path: TypeAlias = "tuple[str, ...]"


class TemplateProblem(ValueError):
    """Says in a sentence, without a full stop, why a text cannot be read or filled in. It repeats no value."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text that was read."""

    text: str

    def names(self) -> frozenset[Path]:
        """Answers what it speaks of, each as far as that is known: `("nodes", "check", "output", "host")`."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Condition:
    """An expression that was read."""

    text: str

    def names(self) -> frozenset[Path]:
        """As `Template.names`."""
        raise NotImplementedError


def is_template(text: str) -> bool:
    """Whether `text` has anything to fill in; what has not is taken literally."""
    return "{{" in text or "{%" in text or "{#" in text


def parse_template(text: str) -> Template:
    """Reads a template of at most 10,000 characters, or raises TemplateProblem."""
    raise NotImplementedError


def parse_condition(text: str) -> Condition:
    """Reads an expression of 1 to 1,000 characters, without `{{ }}`, or raises TemplateProblem."""
    raise NotImplementedError


def fill(template: Template, context: Mapping[str, Json]) -> Json:
    """Answers the text filled in; of a text that is one `{{ … }}` alone the value as it is, in its type.

    In a text, what is not text itself is written as JSON. Raises TemplateProblem where something is not there, is of
    the wrong kind, or where the work or the result (64 KiB as JSON) would be too much.
    """
    raise NotImplementedError


def fill_all(value: Json, context: Mapping[str, Json]) -> Json:
    """Answers `value` with every text in it filled in, at any depth but for keys; all out of one budget.

    Raises TemplateProblem as `parse_template` and `fill` do.
    """
    raise NotImplementedError


def fill_text(text: str, context: Mapping[str, Json]) -> str:
    """As `fill`, but always text: a value alone is written as within one."""
    raise NotImplementedError


def holds(condition: Condition, context: Mapping[str, Json]) -> bool:
    """Whether it is true; null, 0, and what is empty count as false. Raises TemplateProblem as `fill` does."""
    raise NotImplementedError
