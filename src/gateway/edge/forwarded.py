"""What proxies write of whom they heard from, read from the right: `Forwarded` of RFC 7239, and `X-Forwarded-For`.

Read from the right for a reason: what stands on the left may be of a client who left a quotation mark open, and it must
not swallow what our own proxy appended.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 4_096
"""How many characters are looked at, from the right."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 # RFC 9110, section 5.6.2
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PAIR = rf"{_TOKEN}=(?:{_TOKEN}|{_QUOTED})"
_ELEMENT = re.compile(rf"[ \t]*{_PAIR}(?:[ \t]*;[ \t]*{_PAIR})*[ \t]*")
_PAIRS = re.compile(rf"({_TOKEN})=({_TOKEN}|{_QUOTED})")
_NODE = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?|([0-9A-Fa-f:.]+)")
_SCHEMES = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class Hop:
    """Whom one proxy heard from: an address, empty where it is none, and by which scheme if it says."""

    address: str
    scheme: str = ""


def hops(header: str) -> Iterator[Hop]:
    """Answers what `Forwarded` says, nearest proxy first, up to the first element that is malformed."""
    rest = header[-LONGEST:]
    while rest:
        start = _last_element(rest)
        if start is None:
            yield Hop("")
            return
        yield _hop(rest[start:])
        rest = rest[: max(0, start - 1)]


def x_hops(addresses: str, schemes: str) -> Iterator[Hop]:
    """Answers what `X-Forwarded-For` says, nearest proxy first, each with its `X-Forwarded-Proto`.

    Proxies that overwrite the scheme instead of appending to it leave one for many; then it counts for all.
    """
    if not addresses:
        return
    said = [scheme.strip().lower() for scheme in reversed(schemes[-LONGEST:].split(","))]
    for index, address in enumerate(reversed(addresses[-LONGEST:].split(","))):
        scheme = said[min(index, len(said) - 1)]
        yield Hop(_address(address.strip()), scheme if scheme in _SCHEMES else "")


def _last_element(text: str) -> int | None:
    """Answers where the last element begins: after the last comma behind which a whole element stands."""
    comma = len(text)
    while comma >= 0:
        comma = text.rfind(",", 0, comma) if comma else -1
        if _ELEMENT.fullmatch(text, comma + 1):
            return comma + 1
    return None


def _hop(element: str) -> Hop:
    said: dict[str, str] = {}
    for name, value in _PAIRS.findall(element):
        if name.lower() in said:
            return Hop("")
        said[name.lower()] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
    scheme = said.get("proto", "").lower()
    return Hop(_address(said.get("for", "")), scheme if scheme in _SCHEMES else "")


def _address(node: str) -> str:
    """Answers the address of a node with or without port and brackets; empty for `unknown`, `_hidden` and nonsense."""
    found = _NODE.fullmatch(node)
    return (found[1] or found[2] or found[3]) if found else ""
