"""Checks the values that an execution is given against the definitions of its version."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kernel.execution.content import ParameterDefinition, ParameterType
from server.domain import pattern
from server.domain.violation import Violations, why_unstorable

MASK = "********"
GREATEST_INTEGER = 2**53 - 1  # beyond it, the doubles of a Struct no longer tell neighbours apart
GREATEST_TOTAL_BYTES = 64 * 1024  # of all values as JSON: they must fit into the environment of one process

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class CheckedParameters:
    """Values with defaults filled in: what everybody may see, and what only the sandbox may."""

    visible: Mapping[str, Value]
    """All of them, the sensitive ones masked."""
    sensitive: Mapping[str, Value] = field(repr=False)


class WrongValueError(ValueError):
    """Says what a value should be. It never repeats the value, which may be sensitive."""


def check_values(definitions: Sequence[ParameterDefinition], given: Mapping[str, object]) -> CheckedParameters:
    """Answers the checked values, or refuses with every violation, each at `parameters.<name>`."""
    violations = Violations()
    known = {definition.name: definition for definition in definitions}
    for name in given.keys() - known.keys():
        violations.add(f"parameters.{name[:100]}", "is not a parameter of this version")
    values: dict[str, Value] = {}
    for name, definition in known.items():
        try:
            value = check_value(definition, given[name]) if name in given else _default(definition)
        except WrongValueError as wrong:
            violations.add(f"parameters.{name}", str(wrong))
            continue
        if value is not None:
            values[name] = value
    if len(json.dumps(values, ensure_ascii=False).encode(errors="replace")) > GREATEST_TOTAL_BYTES:
        violations.add("parameters", f"must have at most {GREATEST_TOTAL_BYTES:,} bytes as JSON, all together")
    violations.raise_if_any()
    sensitive = {name: value for name, value in values.items() if known[name].sensitive}
    return CheckedParameters(values | dict.fromkeys(sensitive, MASK), sensitive)


def check_value(definition: ParameterDefinition, value: object) -> Value:
    """Answers `value` in the type that a script is given, or says what is wrong with it."""
    match definition.type:
        case ParameterType.STRING:
            return _string(definition, value)
        case ParameterType.INTEGER:
            return _integer(definition, value)
        case ParameterType.NUMBER:
            return _in_range(definition, _finite(value))
        case ParameterType.BOOLEAN:
            if not isinstance(value, bool):
                raise WrongValueError("must be true or false")
            return value
        case ParameterType.ENUM:
            if not isinstance(value, str) or value not in definition.options:
                raise WrongValueError("must be one of the options of this parameter")
            return value


def _default(definition: ParameterDefinition) -> Value | None:
    if definition.default is None and definition.required:
        raise WrongValueError("is required")
    return definition.default


def _string(definition: ParameterDefinition, value: object) -> str:
    if not isinstance(value, str):
        raise WrongValueError("must be text")
    if len(value) > definition.max_length:
        raise WrongValueError(f"must have at most {definition.max_length:,} characters")
    if unstorable := why_unstorable(value):
        raise WrongValueError(unstorable)
    if definition.pattern and not pattern.matches(definition.pattern, value):
        raise WrongValueError("must match the pattern of this parameter")
    return value


def _integer(definition: ParameterDefinition, value: object) -> int:
    number = _finite(value)
    if not number.is_integer() or abs(number) > GREATEST_INTEGER:
        raise WrongValueError("must be a whole number of at most 53 bits")
    return int(_in_range(definition, number))


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise WrongValueError("must be a number")
    return float(value)


def _in_range(definition: ParameterDefinition, number: float) -> float:
    if definition.min is not None and number < definition.min:
        raise WrongValueError(f"must be at least {definition.min:g}")
    if definition.max is not None and number > definition.max:
        raise WrongValueError(f"must be at most {definition.max:g}")
    return number
