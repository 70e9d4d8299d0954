"""Markdown as plain text."""

from __future__ import annotations

import pytest

from gateway.view.plain import plain


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Just words.", "Just words."),
        ("It is **slow**, `GET /x` ~and~ *late*.", "It is slow, GET /x ~and~ late."),
        ("One\ntwo\n\nthree", "One\ntwo\n\nthree"),
        ("# Cause\nA disk.", "Cause\n\nA disk."),
        ("- EU\n- US\n\nRest", "- EU\n- US\n\nRest"),
        ("3. first\n4. second", "3. first\n4. second"),
        ("See [the docs](https://docs.example/a?b=1&c=2).", "See the docs (https://docs.example/a?b=1&c=2)."),
        ("<https://docs.example>", "https://docs.example"),
        ("```\na < b\n```", "a < b"),
        ("a &lt; b <script>", "a < b <script>"),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
        ("", ""),
    ],
)
def test_the_words_stay_and_the_marks_go(written: str, read: str) -> None:
    assert plain(written) == read
