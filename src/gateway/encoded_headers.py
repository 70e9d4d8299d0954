"""Header fields as the lines that they are on the wire: encoded once for all answers that they are the same of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_UNSENDABLE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""What would end a field, or may not stand in one (RFC 9110, section 5.5)."""


def encoded(headers: Mapping[str, str]) -> bytes:
    """Answers their lines, names in lower case; ValueError for what cannot be sent."""
    fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    if any(_UNSENDABLE.search(name + value) for name, value in fields):
        raise ValueError("a header has a control character in it")
    return lines_of(fields)


def lines_of(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Answers the lines of fields that are known to be sendable."""
    return b"".join([b"%b: %b\r\n" % field for field in fields])


def fields_of(lines: bytes) -> list[tuple[bytes, bytes]]:
    """Answers fields one by one, as ASGI has them."""
    parted = (line.partition(b": ") for line in lines.split(b"\r\n") if line)
    return [(name, value) for name, _, value in parted]
