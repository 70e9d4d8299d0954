"""On a terminal a script may use colours, and nothing else that a terminal obeys."""

import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cli.escape_filter import RESET, EscapeFilter

SGR = re.compile("\x1b\\[[0-9;:]*m")
PIECES = st.sampled_from(
    [b"\x1b", b"[", b"]", b"0;", b"31", b"m", b"A", b"\x07", b"\x9b", b"\xc2\x9b", b"\xc2", b"\xe2\x82\xac",
     b"\xf0\x9f", b"\n", b"\r", b"x", b"(B", b"P", b"\x1b\\", b"?25l", b"\x18", b"\x00", b"\x7f", b" ", b"\xff"]
)  # fmt: skip


def shown(*chunks: bytes) -> bytes:
    escape_filter = EscapeFilter()
    return b"".join([*map(escape_filter.feed, chunks), escape_filter.close()])


@given(st.lists(PIECES | st.binary(max_size=4), max_size=30).map(b"".join), st.lists(st.integers(0, 120), max_size=12))
@example(b"\x1b]0;evil\x07x", [1, 2])
def test_how_the_bytes_are_cut_into_chunks_makes_no_difference(data, cuts):
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    chunks = [data[a:b] for a, b in itertools.pairwise(edges)]
    assert shown(*chunks) == shown(data)


@given(st.lists(PIECES | st.binary(max_size=4), max_size=30).map(b"".join))
def test_nothing_that_a_terminal_obeys_gets_through_but_colours_and_layout(data):
    text = SGR.sub("", shown(data).decode())
    assert not [char for char in text if (char < " " and char not in "\t\n\r\b") or "\x7f" <= char <= "\x9f"]


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_text_passes_unchanged(text):
    assert shown(text.encode()) == text.encode()


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        (b"\x1b[2J\x1b[1;1Hall is well", b"all is well"),
        (b"\x1b]0;root@prod\x07x\x1b]52;c;cm0gLXJm\x1b\\y", b"xy"),
        (b"\x1bP$qm\x1b\\x", b"x"),
        (b"\x1b[6n\x1b[5n\x1bZx", b"x"),
        (b"\x1b(0x\x1b(B", b"x"),
        (b"\xc2\x9b2Jx\xc2\x9d0;t\xc2\x9cy", b"xy"),
        (b"\x1b[?25lx", b"x"),
        (b"a\x07\x00b", b"ab"),
        (b"10%\r20%\r", b"10%\r20%\r"),
    ],
)
def test_sequences_that_move_the_cursor_or_make_the_terminal_act_are_dropped(sent, seen):
    assert shown(sent) == seen


def test_colours_pass_and_end_with_the_script():
    assert shown(b"\x1b[1;31mred") == b"\x1b[1;31mred" + RESET
    assert shown(b"\x1b[31mred\x1b[0m") == b"\x1b[31mred\x1b[0m"


def test_a_string_that_never_ends_hides_no_more_than_its_line():
    assert shown(b"\x1b]0;broken\nthe next line\n") == b"\nthe next line\n"


def test_a_character_cut_in_two_is_whole_again():
    assert shown("ä€😀".encode()[:5], "ä€😀".encode()[5:7], "ä€😀".encode()[7:]) == "ä€😀".encode()


def test_bytes_that_are_no_text_are_shown_as_such():
    assert shown(b"a\xffb\x9b2J\xc3") == "a\ufffdb\ufffd2J\ufffd".encode()
