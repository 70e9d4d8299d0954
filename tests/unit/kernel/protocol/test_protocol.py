"""The protocol holds over all interleavings of small worlds, and the search sees what is wrong with broken ones."""

from __future__ import annotations

import os
import re

import pytest

from tests.unit.kernel.protocol.moves import Bounds
from tests.unit.kernel.protocol.mutants import (
    MUTANTS,
    AppendsWithoutTheEpoch,
    ClaimsOutOfTurn,
    FinishesWithoutTheFence,
    KillsAtTheEndOfTheLease,
    NeverExpires,
    NeverRingsAgain,
)
from tests.unit.kernel.protocol.rows import Row, Rules
from tests.unit.kernel.protocol.search import search

ONCE, TWICE = Row(1), Row(2)
QUEUED = Row(1, queues=True)
CALM = Bounds(strays=0, freezing=False, dying=False, cancelling=False)
# What shows only where one executor sleeps while another runs the next attempt:
NEED_TWO = {AppendsWithoutTheEpoch, FinishesWithoutTheFence}
STUCK = {NeverExpires, NeverRingsAgain}  # seen only once all worlds are known

SHORT = [
    pytest.param((TWICE,), 1, Bounds(strays=0), id="two attempts, one executor, every fault"),
    pytest.param((ONCE,), 1, Bounds(writing=False), id="messages that arrive late"),
    pytest.param((ONCE,), 2, Bounds(strays=0, dying=False, cancelling=False), id="two executors, each may freeze"),
    pytest.param((TWICE,), 2, CALM, id="two executors, two attempts, messages are lost"),
    pytest.param((ONCE, QUEUED), 1, CALM._replace(writing=False), id="two executions, the second queues"),
]
LONG = [
    pytest.param((ONCE, QUEUED), 2, CALM._replace(writing=False), id="two executors, the second execution queues"),
]
"""What takes longer than a run of the whole suite should; `make chaos` searches it too."""


@pytest.mark.parametrize(("rows", "executors", "bounds"), SHORT + LONG * bool(os.environ.get("ONCALL_TEST_LONG")))
def test_the_protocol_holds_over_all_interleavings(rows: tuple[Row, ...], executors: int, bounds: Bounds) -> None:
    found = search(rows, executors, bounds=bounds)
    assert not found.problem, str(found)
    assert found.worlds > 1000


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_protocol_is_caught(mutant: type[Rules]) -> None:
    if mutant is ClaimsOutOfTurn:
        found = search((ONCE, QUEUED), 2, mutant(), CALM)
    elif mutant in NEED_TWO:
        found = search((TWICE,), 2, mutant(), CALM._replace(freezing=True))
    else:
        found = search((ONCE if mutant in STUCK else TWICE,), 1, mutant(), Bounds(strays=0))
    assert re.search(MUTANTS[mutant], found.problem), str(found)
    assert found.trace


def test_a_counterexample_can_be_read() -> None:
    said = str(search((TWICE,), 1, KillsAtTheEndOfTheLease(), Bounds(strays=0)))
    assert "  1. executor 0 hears a ring for 0\n" in said
    assert said.endswith("the sweep ends the attempt of 0 as lost")
