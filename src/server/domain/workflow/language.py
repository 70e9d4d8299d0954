"""The one language of workflows: templates and conditions in Jinja's syntax, over plain JSON and nothing else.

Jinja reads the text; what it read is then held against a list of what may stand there, and evaluated here, step by
step, out of a budget. No Python code is made of it, no attribute is ever looked up (`a.b` is the member `b` of a JSON
object), and nothing can be called but the filters of `filters`. So there is nothing to break out of, and what a text
may cost is counted, not timed: the same text with the same values has the same answer on a busy machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from jinja2 import nodes

from server.domain.workflow.definition import Json
from server.domain.workflow.evaluation import Evaluation
from server.domain.workflow.rendering import Rendering
from server.domain.workflow.syntax import Path, names_in, read_expression, read_template
from server.domain.workflow.value import Budget, TemplateProblem, Value, as_result, as_text, truth

__all__ = [
    "LONGEST_CONDITION",
    "LONGEST_TEMPLATE",
    "Condition",
    "Path",
    "Template",
    "TemplateProblem",
    "fill",
    "fill_all",
    "fill_text",
    "holds",
    "is_template",
    "parse_condition",
    "parse_template",
]

LONGEST_TEMPLATE = 10_000
LONGEST_CONDITION = 1_000
_LONGEST_KEPT = 1_000
"""A tree is some hundred times its text, so that only those of short texts are kept for the next time."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text that was read."""

    text: str
    body: list[nodes.Node] = field(repr=False, compare=False)
    spoken_of: frozenset[Path] = field(repr=False, compare=False)

    def names(self) -> frozenset[Path]:
        """Answers what it speaks of, each as far as that is known: `("nodes", "check", "output", "host")`."""
        return self.spoken_of

    @property
    def only(self) -> nodes.Expr | None:
        """The expression of a text that is one `{{ … }}` alone."""
        match self.body:
            case [nodes.Output(nodes=[nodes.Expr() as expression])] if not isinstance(expression, nodes.TemplateData):
                return expression
        return None


@dataclass(frozen=True, slots=True)
class Condition:
    """An expression that was read."""

    text: str
    expression: nodes.Expr = field(repr=False, compare=False)
    spoken_of: frozenset[Path] = field(repr=False, compare=False)

    def names(self) -> frozenset[Path]:
        """As `Template.names`."""
        return self.spoken_of


def is_template(text: str) -> bool:
    """Whether `text` has anything to fill in; what has not is taken literally."""
    return "{{" in text or "{%" in text or "{#" in text


def parse_template(text: str) -> Template:
    """Reads a template of at most 10,000 characters, or raises TemplateProblem."""
    if len(text) > LONGEST_TEMPLATE:
        raise TemplateProblem(f"a template has at most {LONGEST_TEMPLATE:,} characters")
    return _kept_template(text) if len(text) <= _LONGEST_KEPT else _template(text)


def parse_condition(text: str) -> Condition:
    """Reads an expression of 1 to 1,000 characters, without `{{ }}`, or raises TemplateProblem."""
    if not text.strip():
        raise TemplateProblem("a condition is an expression, and this is none")
    if len(text) > LONGEST_CONDITION:
        raise TemplateProblem(f"a condition has at most {LONGEST_CONDITION:,} characters")
    if is_template(text):
        raise TemplateProblem("a condition is an expression itself, without `{{ }}` around it")
    return _condition(text)


def fill(template: Template, context: Mapping[str, Json]) -> Json:
    """Answers the text filled in; of a text that is one `{{ … }}` alone the value as it is, in its type.

    In a text, what is not text itself is written as JSON. Raises TemplateProblem where something is not there, is of
    the wrong kind, or where the work or the result (64 KiB as JSON) would be too much.
    """
    return _fill(template, context, Budget())


def fill_all(value: Json, context: Mapping[str, Json]) -> Json:
    """Answers `value` with every text in it filled in, at any depth but for keys; all out of one budget.

    Raises TemplateProblem as `parse_template` and `fill` do.
    """
    return _fill_all(value, context, Budget())


def fill_text(text: str, context: Mapping[str, Json]) -> str:
    """As `fill`, but always text: a value alone is written as within one."""
    if not is_template(text):
        return text
    budget = Budget()
    return as_text(_fill(parse_template(text), context, budget), budget)


def holds(condition: Condition, context: Mapping[str, Json]) -> bool:
    """Whether it is true; null, 0, and what is empty count as false. Raises TemplateProblem as `fill` does."""
    try:
        return truth(Evaluation(Budget()).maybe(condition.expression, context))
    except RecursionError:
        raise TemplateProblem("a value nests too deep") from None


def _template(text: str) -> Template:
    tree = read_template(text)
    return Template(text, tree.body, names_in(tree))


_kept_template = lru_cache(maxsize=256)(_template)


@lru_cache(maxsize=256)
def _condition(text: str) -> Condition:
    tree = read_expression(text)
    return Condition(text, tree, names_in(tree))


def _fill(template: Template, context: Mapping[str, Json], budget: Budget) -> Json:
    try:
        if template.only is not None:
            return _result(Evaluation(budget).value(template.only, context), budget)
        pieces: list[str] = []
        Rendering(budget).render(template.body, context, pieces)
        return _result("".join(pieces), budget)
    except RecursionError:  # of data: an expression's depth is limited when it is read
        raise TemplateProblem("a value nests too deep") from None


def _result(value: Value, budget: Budget) -> Json:
    result: Json = as_result(value, budget)
    return result


def _fill_all(value: Json, context: Mapping[str, Json], budget: Budget) -> Json:
    if isinstance(value, str):
        return _fill(parse_template(value), context, budget) if is_template(value) else value
    if isinstance(value, Mapping):
        return {key: _fill_all(member, context, budget) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_fill_all(item, context, budget) for item in value]
    return value
