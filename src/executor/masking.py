"""Masks secret values in a stream of output, also across the borders of what was read, and in their usual encodings.

A stream is masked as it passes. What might be the beginning of a value is held back until more of the stream tells, so
that how the script's output was cut into pieces makes no difference to what comes out. Everything that any value covers
is replaced, runs that touch or overlap by one mask, so that two values that overlap do not betray each other's ends.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote

MASK = b"********"
SHORTEST_VALUE = 4
"""Bytes; a shorter value is no secret, and masking it would make any output unreadable."""
SHORTEST_LINE = 8
"""Bytes; lines of a value of several lines are masked by themselves from this length on."""

# What encoders leave as it is: none but the unreserved, Python's default, encodeURIComponent, encodeURI.
_URL_SAFE = ("", "/", "!'()*~", ";,/?:@&=+$-_.!~*'()#")


def forms_of(value: bytes) -> set[bytes]:
    """Answers what a value looks like in plain, base64, URL and JSON form, and its longer lines likewise."""
    lines = [line for line in value.splitlines() if len(line.strip()) >= SHORTEST_LINE]
    forms: set[bytes] = set()
    for part in {value, value.strip(), *(line.strip() for line in lines)}:
        if len(part) >= SHORTEST_VALUE:
            forms |= {part, *_base64_forms(part), *_url_forms(part), *_json_forms(part)}
    return {form for form in forms if len(form) >= SHORTEST_VALUE}


class Masker:
    """Masks one stream. Not for several streams: each has its own beginning and end."""

    def __init__(self, forms: Iterable[bytes]) -> None:
        self._forms = sorted(set(forms), key=len, reverse=True)
        self._held = b""
        self._covered = 0
        """How many bytes at the beginning of what is held belong to a value that began before."""
        self._in_run = False
        self.count = 0
        """How many masks have been put."""

    def feed(self, data: bytes) -> bytes:
        """Takes the next piece of the stream; answers what can be said of it already."""
        if not self._forms:
            return data
        text = self._held + data
        return self._release(text, len(text) - self._possible_beginning(text))

    def end(self) -> bytes:
        """Answers what was held back; the stream has ended."""
        return self._release(self._held, len(self._held))

    def _release(self, text: bytes, until: int) -> bytes:
        released: list[bytes] = []
        position = covered_until = 0
        for start, stop in self.runs(text):
            if start > until:
                break
            covered_until = stop
            if start == until:
                break
            if start > position:
                released.append(text[position:start])
                self._in_run = False
            if not self._in_run:
                released.append(MASK)
                self.count += 1
                self._in_run = True
            position = min(stop, until)
        if position < until:
            released.append(text[position:until])
            self._in_run = False
        self._held, self._covered = text[until:], max(0, covered_until - until)
        return b"".join(released)

    def runs(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Yields where values cover the next piece, in order; what touches or overlaps is one run."""
        found = sorted(self._found(text))
        begin, end = 0, self._covered
        for start, stop in found:
            if start > end:
                if end > begin:
                    yield begin, end
                begin = start
            end = max(end, stop)
        if end > begin:
            yield begin, end

    def _found(self, text: bytes) -> Iterator[tuple[int, int]]:
        for form in self._forms:
            start = text.find(form)
            while start >= 0:
                yield start, start + len(form)
                start = text.find(form, start + 1)

    def _possible_beginning(self, text: bytes) -> int:
        """Answers the length of the longest end of `text` with which a value may have begun."""
        longest = 0
        for form in self._forms:
            if len(form) - 1 <= longest:
                break  # the rest is shorter still
            start = text.find(form[:1], max(0, len(text) - len(form) + 1))
            while 0 <= start < len(text) - longest:
                if form.startswith(text[start:]):
                    longest = len(text) - start
                    break
                start = text.find(form[:1], start + 1)
        return longest


def _base64_forms(value: bytes) -> Iterator[bytes]:
    """Yields what is certain of `value` inside a longer text in base64, for each of the three alignments."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value)
        first = (before * 8 + 5) // 6  # the first digit that depends on nothing before the value
        last = (before + len(value)) * 8 // 6  # the first digit that depends on something after it
        certain = encoded[first:last]
        yield certain
        yield certain.replace(b"+", b"-").replace(b"/", b"_")


def _url_forms(value: bytes) -> Iterator[bytes]:
    for safe in _URL_SAFE:
        form = quote(value, safe=safe).encode()
        for variant in (form, form.replace(b"%20", b"+")):
            yield variant
            yield _with_lower_escapes(variant)


def _with_lower_escapes(form: bytes) -> bytes:
    head, *rest = form.split(b"%")
    return b"%".join([head, *(piece[:2].lower() + piece[2:] for piece in rest)])


def _json_forms(value: bytes) -> Iterator[bytes]:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return
    for ascii_only in (True, False):
        form = json.dumps(text, ensure_ascii=ascii_only)[1:-1].encode()
        yield form
        yield form.replace(b"/", b"\\/")
