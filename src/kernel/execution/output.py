"""What is kept of one stream of one attempt: size, SHA-256, and its first and last parts as text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

HEAD_BYTES = 32 * 1024
TAIL_BYTES = 32 * 1024 - 64  # leaves room for the line that says what was left out


class OutputDigest:
    """Digests a stream as it passes, in memory bounded by `HEAD_BYTES` and twice `TAIL_BYTES`."""

    def __init__(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._head = bytearray()
        self._tail = bytearray()

    def feed(self, data: bytes) -> None:
        self.size += len(data)
        self._sha256.update(data)
        room = HEAD_BYTES - len(self._head)
        self._head += data[:room]
        self._tail += data[room:][-TAIL_BYTES:]
        if len(self._tail) > 2 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]

    def seal(self) -> SealedOutput:
        return SealedOutput(self.size, self._sha256.hexdigest(), self._text())

    def _text(self) -> str:
        """Answers first and last parts as valid UTF-8 that PostgreSQL can keep, at most 64 KiB in all."""
        tail = bytes(self._tail[-TAIL_BYTES:])
        omitted = self.size - len(self._head) - len(tail)
        if omitted:
            marker = f"\n[… {omitted} bytes left out …]\n".encode()
            # A cut may have halved a character on either side of the marker; those bytes say nothing.
            head = _without_cut_end(bytes(self._head))
            tail = _without_cut_start(tail)
            return _clean(head, HEAD_BYTES) + marker.decode() + _clean(tail, TAIL_BYTES, keep_end=True)
        return _clean(bytes(self._head) + tail, HEAD_BYTES + TAIL_BYTES)


@dataclass(frozen=True, slots=True)
class SealedOutput:
    """`sha256` is None where nobody can know it: bytes were lost with their executor."""

    size: int
    sha256: str | None
    text: str


def _without_cut_end(data: bytes) -> bytes:
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            return data
        if byte >= 0xC0:
            width = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data if back >= width else data[:-back]
    return data


def _without_cut_start(data: bytes) -> bytes:
    start = 0
    while start < min(3, len(data)) and 0x80 <= data[start] < 0xC0:
        start += 1
    return data[start:]


def _clean(data: bytes, limit: int, *, keep_end: bool = False) -> str:
    """Decodes for people: invalid bytes and NUL become U+FFFD, and the result stays within `limit` bytes of UTF-8."""
    text = data.decode("utf-8", "replace").replace("\x00", "\ufffd")
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    return (encoded[-limit:] if keep_end else encoded[:limit]).decode("utf-8", "ignore")
