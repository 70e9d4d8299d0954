"""No gateway answers by what was before an acknowledged change, over all interleavings; broken protocols are caught."""

from __future__ import annotations

import os

import pytest

from tests.unit.server.confirmation.moves import Rules, moves
from tests.unit.server.confirmation.mutants import MUTANTS, AcknowledgesWithoutWaiting
from tests.unit.server.confirmation.world import Gateway, World, broken
from tests.unit.state_search import Found, Model, search


class Unnamed(Rules):
    """The change does not name whom it concerns: they are let in again, to less."""

    named = False


class Repeated(Rules):
    """The server may die while it waits, and the call be repeated."""

    most_changes = 2


def searched(rules: Rules) -> Found:
    return search(World((Gateway(),)), Model(lambda world: moves(world, rules), broken, lambda world: world.over))


@pytest.mark.parametrize("rules", [Rules, Unnamed] + [Repeated] * bool(os.environ.get("ONCALL_TEST_LONG")))
def test_nothing_is_answered_by_what_was_before_an_acknowledged_change(rules: type[Rules]) -> None:
    found = searched(rules())
    assert not found.problem, str(found)
    assert found.worlds > 1000


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_protocol_is_caught(mutant: type[Rules]) -> None:
    found = searched(mutant())
    assert "answers by what was before the change" in found.problem, str(found)


def test_a_counterexample_can_be_read() -> None:
    said = str(searched(AcknowledgesWithoutWaiting()))
    assert "1. gateway 0 asks to watch\n" in said
    assert "the change is acknowledged" in said
