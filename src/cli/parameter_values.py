"""Turns what was typed into parameter values, by the definitions of the version that will run.

Types, unknown names and missing values are found here, all at once, where they can be named as they were typed;
lengths, ranges and patterns are the server's to judge.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from oncall.v1.runbook_pb2 import (
    PARAMETER_TYPE_BOOLEAN,
    PARAMETER_TYPE_ENUM,
    PARAMETER_TYPE_INTEGER,
    PARAMETER_TYPE_NUMBER,
    ParameterDefinition,
)

ParameterValue = str | float | bool
_LARGEST_INTEGER = 2**53
"""Beyond it a google.protobuf.Value, which is a double, no longer holds every integer."""
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


class ParametersWrong(Exception):
    """Values that cannot be used; one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def collect(
    definitions: Iterable[ParameterDefinition],
    typed: Iterable[str],
    given: Mapping[str, Any],
    ask: Callable[[str], str] | None,
) -> dict[str, Any]:
    """Answers the values to send: `typed` (`name=value`, as text) go before `given` (of a file, as they are).

    `name` alone, and a sensitive parameter that is needed and was not given, is asked for; `ask` is None where nobody
    can be.
    """
    typed = list(typed)
    known = {definition.name: definition for definition in definitions}
    values = dict(given)
    problems = [_unknown(name, known) for name in given if name not in known]
    for text in typed:
        name, equals, value = text.partition("=")
        try:
            values[name] = _typed_value(known, name, value if equals else None, ask)
        except ValueError as error:
            problems.append(str(error))
    mentioned = {text.partition("=")[0] for text in typed} | set(values)
    for name, definition in known.items():
        if name in mentioned or not definition.required or definition.HasField("default"):
            continue
        try:
            values[name] = _typed_value(known, name, None, ask if definition.sensitive else None)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ParametersWrong(problems)
    return values


def _typed_value(
    known: Mapping[str, ParameterDefinition], name: str, value: str | None, ask: Callable[[str], str] | None
) -> ParameterValue:
    if name not in known:
        raise ValueError(_unknown(name, known))
    if value is None:
        if ask is None:
            raise ValueError(f"{name}: needs a value: give it with -p {name}=VALUE")
        value = ask(name)
    try:
        return convert(known[name], value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def convert(definition: ParameterDefinition, text: str) -> ParameterValue:
    """Answers the value that `text` means; ValueError, never repeating the text, where it means none of its type."""
    if definition.type == PARAMETER_TYPE_INTEGER:
        return _integer(text)
    if definition.type == PARAMETER_TYPE_NUMBER:
        return _number(text)
    if definition.type == PARAMETER_TYPE_BOOLEAN:
        return _boolean(text)
    if definition.type == PARAMETER_TYPE_ENUM and text not in definition.options:
        raise ValueError(f"must be one of {', '.join(definition.options)}")
    return text


def read_values(text: str) -> dict[str, Any]:
    """Reads a JSON object of values by name."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ParametersWrong([f"the parameters are no JSON: {error}"]) from None
    if not isinstance(values, dict):
        raise ParametersWrong(["the parameters must be a JSON object: {name: value, …}"])
    return values


def _integer(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise ValueError("must be an integer") from None
    if abs(number) > _LARGEST_INTEGER:
        raise ValueError(f"must be between -{_LARGEST_INTEGER} and {_LARGEST_INTEGER}")
    return number


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("must be a number")
    return number


def _boolean(text: str) -> bool:
    if text.lower() not in _WORDS:
        raise ValueError("must be true or false")
    return _WORDS[text.lower()]


def _unknown(name: str, known: Mapping[str, ParameterDefinition]) -> str:
    takes = f"it takes {', '.join(known)}" if known else "it takes none"
    return f"{name}: there is no such parameter; {takes}"
