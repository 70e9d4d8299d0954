"""Makes text of other people safe to show: what a terminal would obey, or hide, is shown as what it is."""

from __future__ import annotations

import unicodedata

# Directions and joiners that reorder or hide what stands around them ("Trojan Source"): shown, for a review must not
# read something else than what runs.
_DECEPTIVE = frozenset("\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u2060\ufeff") | frozenset(
    map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
)


def visible(text: str, *, keep: str = "") -> str:
    """Answers `text` with control and deceptive characters, those of `keep` excepted, replaced by their names.

    C0 controls become the pictures made for them (␛), others their code point (<U+202E>).
    """
    return "".join(char if char in keep else _shown(char) for char in text)


def visible_block(text: str) -> str:
    """As `visible`, for text of several lines; tabs and line feeds keep their meaning."""
    return visible(text, keep="\n\t")


def visible_json(text: str) -> str:
    """Answers JSON that means the same, with what `visible` would replace escaped as JSON does it."""
    if text.isascii() and "\x7f" not in text:
        return text  # as megabytes of a script's output are, in base64
    return "".join(char if _shown(char) == char else f"\\u{ord(char):04x}" for char in text)


def _shown(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if char in _DECEPTIVE or unicodedata.category(char) == "Cc":
        return f"<U+{code:04X}>"
    return char
