"""Whether a client holds a representation already: `If-None-Match` as RFC 9110 section 13.1.2 reads it."""

from __future__ import annotations

import re

_TAGS = re.compile(r'\s*(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|$)|\s*,')


def holds(if_none_match: str, etag: str) -> bool:
    """Whether one of the tags is `etag`, compared weakly, or all are meant by `*`; nothing counts after a mistake."""
    if if_none_match == etag:  # as nearly everybody asks
        return True
    if if_none_match.strip() == "*":
        return True
    opaque, at = etag.removeprefix("W/"), 0
    while found := _TAGS.match(if_none_match, at):
        if found[1] == opaque:
            return True
        at = found.end()
        if at >= len(if_none_match):
            break
    return False
