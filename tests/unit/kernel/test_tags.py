"""Tags, and the lists that rings for them go through: known on both sides from the tags alone."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.settings import ExecutorSettings
from kernel.execution.tags import MOST_ASKED_FOR, MOST_CARRIED, served_by
from kernel.queue import list_of

tags = st.sets(st.sampled_from("abcdefgh"), max_size=MOST_CARRIED)


@given(tags, st.sets(st.sampled_from("abcdefgh"), max_size=MOST_ASKED_FOR))
def test_whoever_carries_what_is_asked_for_hears_the_list_and_nobody_else(carried: set[str], asked: set[str]) -> None:
    heard = {list_of(served) for served in served_by(carried)}
    assert (list_of(sorted(asked, reverse=True)) in heard) == (asked <= carried)


def test_an_executor_listens_to_a_bounded_number_of_lists() -> None:
    assert served_by(()) == [()]
    assert len(served_by("abcdefgh")) == 163


def test_no_two_sets_of_tags_share_a_list() -> None:
    words = ["eu", "e", "u", "eu.gpu", "eu-gpu", "gpu"]
    sets = [chosen for size in range(5) for chosen in combinations(words, size)]
    assert len({list_of(chosen) for chosen in sets}) == len(sets)
    assert (list_of(()), list_of(("gpu", "eu"))) == ("oncall:executions", "oncall:executions:eu+gpu")


def _settings(executor_tags: str) -> ExecutorSettings:
    return ExecutorSettings(database_url="-", redis_url="-", master_key="-", executor_tags=executor_tags)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["EU", "eu,g+pu", "a" * 33, "a,b,c,d,e,f,g,h,i"])
def test_an_executor_does_not_start_with_tags_that_nobody_could_ask_for(wrong: str) -> None:
    with pytest.raises(ValueError, match="tag"):
        _settings(wrong)


def test_the_tags_of_an_executor_are_read_with_spaces_and_repetitions() -> None:
    assert _settings(" gpu, eu,,gpu ").tags() == ("eu", "gpu")
