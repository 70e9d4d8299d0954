"""The JSON object that a script may leave for whoever comes after it: what is accepted, and how it is masked.

Pure; how the bytes are had is `sandbox.output_folder`. Whatever is accepted here, PostgreSQL's JSONB and a protobuf
Struct can keep, and both show the same. A refusal tells where something is wrong and never what is there: that may be
secret.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Never

from executor.masking import MASK, Masker
from executor.sandbox.command import as_text

OUTPUT_BYTES = 64 * 1024
OUTPUT_DEPTH = 16
"""Objects and lists inside one another. Protobuf's parsers stop at 100 messages, and a Struct has three a level."""
GREATEST_WHOLE = 2**53 - 1
"""A Struct, and JSON elsewhere, knows doubles only: a greater number would come out as another one."""

_TOKENS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9][0-9.eE+-]*')


class OutputError(Exception):
    """Why there is no output, in a few words for people that show nothing of it."""


def object_of(data: bytes, forms: Collection[bytes]) -> tuple[dict[str, Any], int]:
    """Answers the object with everything masked that `forms` (`masking.forms_of`) cover, and how often that was.

    OutputError for what is no such object, and for one that cannot be shown without one of the forms.
    """
    value = _parsed(data)
    return _masked(value, data, forms) if forms else (value, 0)


def _parsed(data: bytes) -> dict[str, Any]:
    if len(data) > OUTPUT_BYTES:
        raise OutputError(f"larger than {OUTPUT_BYTES} bytes")
    if not data.strip():
        raise OutputError("it is empty")
    try:
        value = json.loads(data.decode(), parse_int=_whole, parse_float=_fraction, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        line = 1 + data.count(b"\n", 0, error.start)
        raise OutputError(f"line {line}: not UTF-8") from None
    except json.JSONDecodeError as error:
        raise OutputError(f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise OutputError(_TOO_DEEP) from None
    if not isinstance(value, dict):
        raise OutputError("not an object: what stands at the top must begin with {")
    _check(value, 1)
    return value


_TOO_DEEP = f"objects and lists more than {OUTPUT_DEPTH} deep"


def _check(value: object, depth: int) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise OutputError("a text with a NUL character")
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise OutputError("a text with half a surrogate pair")
        return
    if not isinstance(value, dict | list):
        return
    if depth > OUTPUT_DEPTH:
        raise OutputError(_TOO_DEEP)
    for each in value:
        _check(each, depth + 1)
    if isinstance(value, dict):
        for each in value.values():
            _check(each, depth + 1)


def _whole(text: str) -> int:
    # The length first: Python takes its time over a number of many digits, and refuses one of very many.
    if len(text) > len(f"-{GREATEST_WHOLE}") or abs(int(text)) > GREATEST_WHOLE:
        raise OutputError(f"a whole number beyond {GREATEST_WHOLE}, which would be rounded: write it as a text")
    return int(text)


def _fraction(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text)


def _no_number(_: str) -> Never:
    raise OutputError("a number that is not finite")


def _masked(value: dict[str, Any], data: bytes, forms: Collection[bytes]) -> tuple[dict[str, Any], int]:
    """Masks names and values. What stands in several of them at once cannot be masked, and is refused."""
    _refuse_across(data, forms)
    # All in one go, as one stream: the cost of masking is that of its forms, for each text that it is asked about.
    texts = list(_texts(value))
    masker = Masker(forms)
    stream = "".join(f"{text}\0" for text in texts).encode()
    masked = (masker.feed(stream) + masker.end()).decode("utf-8", "replace").split("\0")[:-1]
    if len(masked) != len(texts):
        raise OutputError(_ACROSS)
    rebuilt: dict[str, Any] = _rebuilt(value, iter(masked))
    if any(Masker(forms).runs(json.dumps(rebuilt, ensure_ascii=False).encode())):
        raise OutputError(_ACROSS)
    return rebuilt, masker.count


_ACROSS = "it shows a secret that cannot be masked within one name or value"


def _refuse_across(data: bytes, forms: Collection[bytes]) -> None:
    """A secret may itself be JSON: written as it is, its parts would be seen as names and values, each by itself."""
    runs = list(Masker(forms).runs(data))
    if not runs:
        return
    quoted = [(token, data[token.start()] == ord('"')) for token in _TOKENS.finditer(data)]
    inside = [(token.start() + is_text, token.end() - is_text) for token, is_text in quoted]
    for start, stop in runs:
        index = bisect_right(inside, (start, len(data))) - 1
        if index < 0 or stop > inside[index][1]:
            raise OutputError(_ACROSS)


def _texts(value: object) -> Iterator[str]:
    """Yields every name and every value in order; a number in the ways in which it may be seen."""
    match value:
        case str():
            yield value
        case dict():
            for name, each in value.items():
                yield name
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)
        case int() | float() if not isinstance(value, bool):
            yield _as_seen(value)


def _rebuilt(value: Any, masked: Iterator[str]) -> Any:
    """Answers `value` with what `_texts` yielded of it replaced; a number of which something was masked by a mask."""
    match value:
        case str():
            return next(masked)
        case dict():
            return _object((next(masked), _rebuilt(each, masked)) for each in value.values())
        case list():
            return [_rebuilt(each, masked) for each in value]
        case int() | float() if not isinstance(value, bool):
            return value if next(masked) == _as_seen(value) else MASK.decode()
    return value


def _as_seen(number: float) -> str:
    return " ".join(dict.fromkeys([json.dumps(number), as_text(number)]))


def _object(pairs: Iterator[tuple[str, Any]]) -> Mapping[str, Any]:
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise OutputError("two names of one object are the same once they are masked")
        made[name] = value
    return made
