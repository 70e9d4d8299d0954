"""Header fields as they are sent, encoded once for all answers that they are the same of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Field = tuple[bytes, bytes]
"""A name in lower case, and a value."""

_UNSENDABLE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""What would end a field, or may not stand in one (RFC 9110, section 5.5)."""


@dataclass(frozen=True, slots=True)
class Head:
    """Fields one by one, as ASGI has them, and as the lines that they are on the wire."""

    fields: tuple[Field, ...]
    lines: bytes


def head_of(headers: Mapping[str, str]) -> Head:
    """Encodes; ValueError for what cannot be sent."""
    fields = tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items())
    if any(_UNSENDABLE.search(name + value) for name, value in fields):
        raise ValueError("a header has a control character in it")
    return Head(fields, lines_of(fields))


def lines_of(fields: Iterable[Field]) -> bytes:
    """Answers the lines of fields that are known to be sendable."""
    return b"".join([b"%b: %b\r\n" % field for field in fields])
