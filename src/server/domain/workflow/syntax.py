"""Reads templates and conditions with Jinja's parser, and holds what was read against what may stand there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias, TypeVar

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser

from server.domain.workflow.filters import FILTERS, TESTS, takes
from server.domain.workflow.value import TemplateProblem, is_bounded

Tree = TypeVar("Tree", bound=nodes.Node)
Path: TypeAlias = "tuple[str, ...]"

DEEPEST = 50
MOST_TOKENS = 2_000
"""Reading costs some ten microseconds for each, so that length alone would not bound it well."""


class _Counted(Extension):
    """Ends the reading of a text that has too many tokens."""

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        for count, token in enumerate(stream):
            if count == MOST_TOKENS:
                raise TemplateProblem(f"it has more than {MOST_TOKENS:,} words and signs")
            yield token


# Only its parser is used: nothing is compiled, loaded or rendered with it.
_ENVIRONMENT = Environment(keep_trailing_newline=True, extensions=[_Counted])  # noqa: S701 nothing here becomes HTML

_PLAIN = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos,
    nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Concat, nodes.Compare, nodes.Operand,
    nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword, nodes.Getattr, nodes.Getitem,
)  # fmt: skip
_WORDS: dict[type[nodes.Node], str] = {
    nodes.Call: "a call",
    nodes.Pow: "`**`",
    nodes.Assign: "`set`",
    nodes.AssignBlock: "`set`",
    nodes.CallBlock: "`call`",
    nodes.FilterBlock: "a `filter` block",
    nodes.FromImport: "`import`",
    nodes.ScopedEvalContextModifier: "`autoescape`",
    nodes.Scope: "`autoescape`",
}


def read_template(text: str) -> nodes.Template:
    """Answers the tree of a template. Raises TemplateProblem."""
    return _parsed(lambda: Parser(_ENVIRONMENT, text).parse())


def read_expression(text: str) -> nodes.Expr:
    """Answers the tree of one expression. Raises TemplateProblem."""

    def parse() -> nodes.Expr:
        parser = Parser(_ENVIRONMENT, text, state="variable")
        expression = parser.parse_expression()
        if not parser.stream.eos:
            parser.fail("one expression is enough")
        return expression

    return _parsed(parse)


def names_in(tree: nodes.Node) -> frozenset[Path]:
    """Answers what a tree speaks of, or raises TemplateProblem where it has what may not stand there."""
    return frozenset(_names(tree, frozenset(), 0))


def _parsed(parse: Callable[[], Tree]) -> Tree:
    try:
        return parse()
    except TemplateProblem:
        raise
    except TemplateSyntaxError as error:
        where = f" in line {error.lineno}" if error.lineno > 1 else ""
        raise TemplateProblem(f"it cannot be read{where}: {(error.message or '').rstrip('.')[:200]}") from None
    except RecursionError:
        raise _too_deep() from None
    except (ValueError, OverflowError):  # a numeral of thousands of digits
        raise TemplateProblem("it has a number of more than 53 bits") from None


def _too_deep() -> TemplateProblem:
    return TemplateProblem(f"it nests more than {DEEPEST} deep")


def _names(node: nodes.Node, bound: frozenset[str], depth: int) -> Iterator[Path]:
    if depth > DEEPEST:
        raise _too_deep()
    if isinstance(node, nodes.Getattr | nodes.Getitem | nodes.Name):
        yield from _reference(node, bound, depth)
    elif isinstance(node, nodes.For):
        yield from _loop(node, bound, depth)
    else:
        _check(node)
        for child in node.iter_child_nodes():
            yield from _names(child, bound, depth + 1)


def _reference(node: nodes.Expr, bound: frozenset[str], depth: int) -> Iterator[Path]:
    """Follows `a.b["c"][d]` down to `a`: it speaks of `a.b.c`, and of what `d` speaks of."""
    path: list[str] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        depth += 1
        if depth > DEEPEST:
            raise _too_deep()
        if isinstance(node, nodes.Getattr):
            path.append(node.attr)
        elif isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            path.append(node.arg.value)
        else:
            path.clear()
            yield from _names(node.arg, bound, depth)
        node = node.node
    if not isinstance(node, nodes.Name):
        yield from _names(node, bound, depth + 1)
    elif node.name not in bound:
        yield (node.name, *reversed(path))


def _loop(node: nodes.For, bound: frozenset[str], depth: int) -> Iterator[Path]:
    if node.recursive:
        raise TemplateProblem("a recursive loop is not part of the language")
    inner = bound | set(targets(node)) | {"loop"}
    yield from _names(node.iter, bound, depth + 1)
    if node.test:
        yield from _names(node.test, inner, depth + 1)
    for child in node.body:
        yield from _names(child, inner, depth + 1)
    for child in node.else_:
        yield from _names(child, bound, depth + 1)


def targets(node: nodes.For) -> list[str]:
    """Answers the names that a loop gives to each item, or to its parts."""
    parts = node.target.items if isinstance(node.target, nodes.Tuple) else [node.target]
    if not all(isinstance(part, nodes.Name) for part in parts):
        raise TemplateProblem("a loop names its items by one name, or their parts by several")
    return [part.name for part in parts if isinstance(part, nodes.Name)]


def _check(node: nodes.Node) -> None:
    if isinstance(node, nodes.Const):
        _check_constant(node.value)
    elif isinstance(node, nodes.Filter | nodes.Test):
        _check_filter(node)
    elif isinstance(node, nodes.CondExpr):
        if node.expr2 is None:
            raise TemplateProblem("`… if …` needs an `else`")
    elif isinstance(node, nodes.Slice):
        if node.step is not None:
            raise TemplateProblem("a slice with a step is not part of the language")
    elif type(node) not in _PLAIN:
        what = _WORDS.get(type(node), f"`{type(node).__name__.lower()}`")
        raise TemplateProblem(f"{what} is not part of the language")


def _check_constant(value: object) -> None:
    if isinstance(value, int | float) and not is_bounded(value):
        raise TemplateProblem("it has a number of more than 53 bits")
    if not isinstance(value, str | int | float | None):
        raise TemplateProblem("it has a constant of an unknown kind")


def _check_filter(node: nodes.Filter | nodes.Test) -> None:
    kind, known = ("filter", FILTERS) if isinstance(node, nodes.Filter) else ("test", TESTS)
    if node.node is None:
        raise TemplateProblem("a `filter` block is not part of the language")
    if node.name not in known:
        raise TemplateProblem(f"there is no {kind} `{node.name[:50]}`; there are {', '.join(sorted(known))}")
    named = [str(keyword.key) for keyword in node.kwargs]
    fits = takes(node.name, len(node.args), named) if kind == "filter" else not node.args and not named
    if node.dyn_args or node.dyn_kwargs or not fits:
        raise TemplateProblem(f"the {kind} `{node.name}` does not take these arguments")
