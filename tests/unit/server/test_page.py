"""Page sizes and page tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import InvalidArgument
from server.domain.page import Pager, PageRequest

PAGER = Pager(b"k" * 32)


def _token(method: str = "A/List", filters: dict[str, str] | None = None, position: int = 7) -> str:
    return PAGER.open(method, filters or {}, PageRequest(1)).page([position, 0], str).next_token


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (1, 1), (500, 500), (501, 500), (2**31 - 1, 500)])
def test_a_size_is_50_unless_asked_and_at_most_500(asked: int, given: int) -> None:
    assert PAGER.open("A/List", {}, PageRequest(asked)).size == given


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(InvalidArgument) as refused:
        PAGER.open("A/List", {}, PageRequest(-1))
    assert refused.value.violations[0].field == "page_size"


def test_a_token_answers_where_its_page_ended() -> None:
    assert PAGER.open("A/List", {"a": "1"}, PageRequest(9, _token(filters={"a": "1"}))).position == "7"


def test_the_last_page_has_no_token() -> None:
    assert PAGER.open("A/List", {}, PageRequest(2)).page([1, 2], str).next_token == ""


@pytest.mark.parametrize(
    ("pager", "method", "filters"),
    [
        (PAGER, "B/List", {"a": "1"}),
        (PAGER, "A/List", {"a": "2"}),
        (PAGER, "A/List", {}),
        (Pager(b"x" * 32), "A/List", {"a": "1"}),
    ],
)
def test_a_token_is_good_for_its_list_filters_and_key_alone(pager: Pager, method: str, filters: dict[str, str]) -> None:
    with pytest.raises(InvalidArgument) as refused:
        pager.open(method, filters, PageRequest(0, _token(filters={"a": "1"})))
    assert refused.value.reason == "PAGE_TOKEN_INVALID"


@given(st.text(min_size=1, max_size=600))
def test_no_text_is_taken_for_a_token(text: str) -> None:
    with pytest.raises(InvalidArgument):
        PAGER.open("A/List", {}, PageRequest(0, text))


@given(st.integers(0, 200), st.characters(min_codepoint=33, max_codepoint=126))
def test_no_changed_character_goes_unnoticed(index: int, character: str) -> None:
    token = _token()
    changed = token[: index % len(token)] + character + token[index % len(token) + 1 :]
    if changed != token:
        with pytest.raises(InvalidArgument):
            PAGER.open("A/List", {}, PageRequest(0, changed))
