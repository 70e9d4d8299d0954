"""Templates that want out of their language, or more than their share: each is refused, or does little, soon."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain.workflow.language import (
    LONGEST_CONDITION,
    TemplateProblem,
    fill,
    holds,
    parse_condition,
    parse_template,
)
from server.domain.workflow.value import Open
from tests.unit.server.domain.workflow.hostile import ALL, BOMBS, LOOPS, STATEMENTS, WALKS

MOST_SECONDS = 0.1
MOST_BYTES = 8 * 1024 * 1024


@cache
def context() -> dict[str, Any]:
    """As large as a script and an incident can make it."""
    deep: list[Any] = []
    for _ in range(30_000):
        deep = [deep]
    return {
        "incident": {"title": "Disk full", "description": "a" * 10_000, "labels": Open({"env": "prod"})},
        "team": {"name": "ß" * 100},
        "nodes": {
            "x": {
                "stdout": "a" * 65_536,
                "lines": "\n" * 65_536,
                "signs": "ß" * 65_536,
                "output": {"many": list(range(12_000)), "texts": ["ab"] * 12_000, "deep": deep, "items": {"a": 1}},
            }
        },
    }


def attempt(text: str) -> None:
    """Reads a text and fills it in, or finds that it is refused."""
    with suppress(TemplateProblem):
        fill(parse_template(text), context())


def spent(attempt: Callable[[], object]) -> float:
    """Answers the least processor time of up to three attempts, in seconds."""
    least = MOST_SECONDS
    for _ in range(3):
        start = time.thread_time()
        attempt()
        least = min(least, time.thread_time() - start)
        if least < MOST_SECONDS:
            break
    return least


def test_these_are_many() -> None:
    assert len(set(ALL)) >= 140


@pytest.mark.parametrize("text", [*WALKS, *STATEMENTS, *BOMBS, *LOOPS], ids=lambda text: text[:50])
def test_what_wants_out_or_too_much_is_refused(text: str) -> None:
    with pytest.raises(TemplateProblem):
        fill(parse_template(text), context())


@pytest.mark.parametrize("text", ALL, ids=lambda text: text[:50])
def test_it_takes_little_time_and_memory(text: str) -> None:
    assert spent(lambda: attempt(text)) < MOST_SECONDS
    tracemalloc.start()
    try:
        attempt(text)
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("text", [text for text in ALL if text.startswith("{{ ") and text.count("}}") == 1])
def test_a_condition_is_held_as_tightly(text: str) -> None:
    expression = text.removeprefix("{{ ").removesuffix(" }}")

    def ask() -> None:
        with suppress(TemplateProblem):
            holds(parse_condition(expression), context())

    assert spent(ask) < MOST_SECONDS


def test_a_condition_is_short() -> None:
    with pytest.raises(TemplateProblem, match="at most 1,000"):
        parse_condition("1" + " " * LONGEST_CONDITION)


PIECES = """
    {{ }} {% %} {# #} {%- -%} if else elif endif for in endfor not and or is defined raw endraw set macro 1 0 -1 1.5 **
    + - * / // % ~ ** < > == != ( ) [ ] { } , : | . 'a' "b" \\ true none incident nodes x stdout output items many loop
    first join replace default('a') length tojson __class__ recursive with block include
"""


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES.split()) | st.text(max_size=3), max_size=30), st.sampled_from(["", " "]))
def test_whatever_is_written_is_filled_in_or_a_problem(pieces: list[str], between: str) -> None:
    attempt(between.join(pieces))
    attempt("{{ " + between.join(pieces) + " }}")
