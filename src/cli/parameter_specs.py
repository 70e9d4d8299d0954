"""Parameter definitions as one writes them on a command line: `NAME[:TYPE][:MODIFIER…]`.

    host                                            text, optional
    host:string:required:pattern=[a-z0-9-]+
    retries:integer:default=3:min=0:max=10
    environment:enum:options=staging,production:required
    password:string:required:sensitive
    note:string:description=Why\\: shown to the reviewer

A colon within a value is written `\\:`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from google.protobuf import json_format

from cli.parameter_values import convert
from oncall.v1.runbook_pb2 import PARAMETER_TYPE_ENUM, PARAMETER_TYPE_STRING, ParameterDefinition, ParameterType

_UNESCAPED_COLON = re.compile(r"(?<!\\):")


def parse_spec(text: str) -> ParameterDefinition:
    """Answers the definition that `text` describes; ValueError with a sentence where it describes none."""
    name, *rest = [part.replace("\\:", ":") for part in _UNESCAPED_COLON.split(text)]
    definition = ParameterDefinition(name=name, type=PARAMETER_TYPE_STRING)
    if rest and "=" not in rest[0] and rest[0] not in _FLAGS:
        definition.type = _type(name, rest.pop(0))
    default = None
    for modifier in rest:
        key, equals, value = modifier.partition("=")
        if key == "default" and equals:
            default = value
        elif key in _FLAGS and not equals:
            setattr(definition, key, True)
        elif key in _SETTERS and equals:
            _set(definition, key, value)
        else:
            raise ValueError(f"{name}: {modifier!r} is none of {', '.join(_MODIFIERS)}")
    if definition.options and definition.type != PARAMETER_TYPE_ENUM:
        raise ValueError(f"{name}: only an enum has options")
    if default is not None:  # last, for its type and options must be known
        _set_default(definition, default)
    return definition


def read_definitions(text: str) -> list[ParameterDefinition]:
    """Reads a JSON list of definitions in protobuf's JSON mapping; a type may leave out its PARAMETER_TYPE_."""
    definitions = json.loads(text)
    if not isinstance(definitions, list) or not all(isinstance(d, dict) for d in definitions):
        raise ValueError("must be a JSON list of parameter definitions: [{…}, …]")
    return [_definition(definition) for definition in definitions]


def _definition(form: dict[str, Any]) -> ParameterDefinition:
    kind = form.get("type", "STRING")
    if isinstance(kind, str):
        form = {**form, "type": f"PARAMETER_TYPE_{kind.upper().removeprefix('PARAMETER_TYPE_')}"}
    try:
        return json_format.ParseDict(form, ParameterDefinition())
    except json_format.ParseError as error:
        raise ValueError(f"{form.get('name', 'a parameter')}: {error}") from None


def _type(name: str, text: str) -> ParameterType.ValueType:
    try:
        return ParameterType.Value(f"PARAMETER_TYPE_{text.upper()}")
    except ValueError:
        kinds = ", ".join(kind.removeprefix("PARAMETER_TYPE_").lower() for kind in ParameterType.keys()[1:])
        raise ValueError(f"{name}: {text!r} is no type: {kinds}") from None


def _set(definition: ParameterDefinition, key: str, value: str) -> None:
    try:
        _SETTERS[key](definition, value)
    except ValueError:
        raise ValueError(f"{definition.name}: {key} must be a number") from None


def _set_default(definition: ParameterDefinition, text: str) -> None:
    try:
        value = convert(definition, text)
    except ValueError as error:
        raise ValueError(f"{definition.name}: default {error}") from None
    match value:
        case bool():
            definition.default.bool_value = value
        case str():
            definition.default.string_value = value
        case _:
            definition.default.number_value = value


_FLAGS = ("required", "sensitive")
_SETTERS: dict[str, Callable[[ParameterDefinition, str], None]] = {
    "description": lambda d, value: setattr(d, "description", value),
    "pattern": lambda d, value: setattr(d, "pattern", value),
    "min": lambda d, value: setattr(d, "min", float(value)),
    "max": lambda d, value: setattr(d, "max", float(value)),
    "max-length": lambda d, value: setattr(d, "max_length", int(value)),
    "options": lambda d, value: d.options.extend(value.split(",")),
}
_MODIFIERS = (*_FLAGS, "default=…", *(f"{key}=…" for key in _SETTERS))
