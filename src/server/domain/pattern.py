"""Patterns of parameters, matched by RE2: in time linear in the value, whatever the pattern.

With the `re` module one unlucky pattern, `(a+)+$` or even `.*x.*y.*z`, and one unlucky value would hold the whole
server for minutes. RE2 has no look-around and no back-references; a pattern that uses them is refused when a version is
written.
"""

from __future__ import annotations

import re2

LONGEST = 500
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False  # what callers write is not for the log
_OPTIONS.max_mem = 1 << 20


def problem_of(pattern: str) -> str | None:
    """Says what is wrong with a pattern, if anything is."""
    try:
        re2.compile(pattern, _OPTIONS)
    except re2.error:
        return "must be a regular expression of the RE2 syntax (without look-around and back-references)"
    return None


def matches(pattern: str, value: str) -> bool:
    """Whether the whole of `value` matches."""
    return re2.fullmatch(pattern, value, _OPTIONS) is not None
