"""What is kept of a stream: always its size and hash, and a text that any reader can show."""

from __future__ import annotations

import hashlib
import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from kernel.execution.output import HEAD_BYTES, TAIL_BYTES, OutputDigest

LIMIT = 64 * 1024


def digest_of(*pieces: bytes) -> OutputDigest:
    digest = OutputDigest()
    for piece in pieces:
        digest.feed(piece)
    return digest


@given(st.binary(max_size=3000), st.lists(st.integers(0, 3000), max_size=8))
def test_how_a_stream_was_cut_into_pieces_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges)]

    assert digest_of(*pieces).seal() == digest_of(data).seal()


@given(st.binary(max_size=64), st.integers(0, 5000))
@example(b"\xf0\x9f\x98\x80", 4096)
@example("ä€😀x".encode(), 20_000)
@example(b"\xff", 200_000)
@example(b"\x00", 100_000)
def test_the_text_is_valid_bounded_and_without_nul(unit: bytes, times: int) -> None:
    data = unit * times
    sealed = digest_of(data).seal()

    assert len(sealed.text.encode("utf-8")) <= LIMIT
    assert "\x00" not in sealed.text
    assert sealed.size == len(data)
    assert sealed.sha256 == hashlib.sha256(data).hexdigest()


def test_what_fits_is_kept_as_it_is() -> None:
    text = "ä€😀x\n" * 4000

    assert digest_of(text.encode()).seal().text == text


def test_first_and_last_parts_stay_and_the_rest_is_counted() -> None:
    data = b"begin" + b"-" * 1_000_000 + b"end"
    sealed = digest_of(data).seal()

    left_out = len(data) - HEAD_BYTES - TAIL_BYTES
    assert sealed.text.startswith("begin")
    assert sealed.text.endswith("end")
    assert f"{left_out} bytes left out" in sealed.text


def test_a_character_that_the_cut_halves_leaves_no_broken_sign() -> None:
    sealed = digest_of(b"x" + "€".encode() * 100_000).seal()

    assert "\ufffd" not in sealed.text
