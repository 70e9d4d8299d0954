"""Holds a document against the format: every violation with its line, and a guess at what was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cli.as_code import form
from cli.as_code.form import RunbookForm
from cli.as_code.problem import Path, Problem
from cli.as_code.yaml_reading import Document

_KINDS = {
    get_args(kind.model_fields["type"].annotation)[0]: kind
    for kind in (
        form.StringParameter,
        form.IntegerParameter,
        form.NumberParameter,
        form.BooleanParameter,
        form.EnumParameter,
    )
}


def check(document: Document) -> tuple[RunbookForm | None, list[Problem]]:
    """Answers the form that a document fills in, or all that is wrong with it."""
    if not isinstance(document.data, dict):
        return None, [document.problem((), "must be a mapping that begins with `oncall: runbook/v1`")]
    if document.data.get("oncall") != form.FORMAT:
        return None, [document.problem(("oncall",), f"must be {form.FORMAT}: this is no file of that format")]
    try:
        filled = RunbookForm.model_validate(document.data)
    except ValidationError as error:
        return None, [_problem(document, details) for details in error.errors(include_url=False)]
    problems = [document.problem(path, sentence) for path, sentence in _contradictions(filled)]
    return (None if problems else filled), problems


def _problem(document: Document, details: ErrorDetails) -> Problem:
    path = _path(details["loc"])
    match details["type"]:
        case "extra_forbidden":
            return document.problem(path, _unknown(document.data, path))
        case "missing" | "union_tag_not_found":
            missing = path if details["type"] == "missing" else (*path, "type")
            return document.problem(missing, "is required")
        case "union_tag_invalid":
            return document.problem((*path, "type"), _none_of(_at(document.data, (*path, "type")), _KINDS))
        case "literal_error":
            choices = details["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", ")
            return document.problem(path, _none_of(details["input"], choices))
        case "string_type":
            return document.problem(path, "must be text: put it in quotes" if path != ("script",) else "must be text")
    return document.problem(path, _SENTENCES.get(details["type"]) or _sentence(details["msg"]))


_SENTENCES = {
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "string_unicode": "must be valid Unicode",
}


def _path(location: tuple[str | int, ...]) -> Path:
    """Answers the place in the document: without the type by which a parameter's model was chosen."""
    if location[:1] == ("parameters",) and len(location) > 2:
        return (*location[:2], *location[3:])
    return location


def _sentence(message: str) -> str:
    for before, after in (("Input should", "must"), ("String should", "must"), ("List should", "must")):
        if message.startswith(before):
            return after + message.removeprefix(before)
    return message[:1].lower() + message[1:]


def _unknown(data: Any, path: Path) -> str:
    key = str(path[-1])
    fields: Iterable[str] = RunbookForm.model_fields
    if path[0] == "limits":
        fields = form.Limits.model_fields
    elif path[0] == "parameters":
        kind = _at(data, (*path[:-1], "type"))
        fields = _KINDS[kind].model_fields
        if any(key in other.model_fields for other in _KINDS.values()):
            return f"does not apply to a parameter of type {kind}"
    return "is not known" + _suggestion(key, fields)


def _none_of(value: object, choices: Iterable[str]) -> str:
    return f"must be one of {', '.join(choices)}" + _suggestion(str(value).lower(), choices)


def _suggestion(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f": do you mean {close[0]}?" if close else ""


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _contradictions(filled: RunbookForm) -> Iterator[tuple[Path, str]]:
    """Yields what no single field shows."""
    if (filled.script is None) == (filled.script_file is None):
        yield ("script",), "must be given either here or as script_file"
    for field, names in (
        ("parameters", [parameter.name for parameter in filled.parameters]),
        ("secret_names", filled.secret_names),
        ("executor_tags", filled.executor_tags),
    ):
        for index, name in enumerate(names):
            if name in names[:index]:
                yield (field, index), f"names {name} a second time"
    for index, parameter in enumerate(filled.parameters):
        for name, sentence in _contradiction(parameter):
            yield ("parameters", index, name), sentence


def _contradiction(parameter: BaseModel) -> Iterator[tuple[str, str]]:
    fields: Mapping[str, Any] = dict(parameter)
    default = fields["default"]
    least, most = fields.get("min"), fields.get("max")
    options = fields.get("options")
    if least is not None and most is not None and least > most:
        yield "max", "must not be less than min"
    if options and len(set(options)) != len(options):
        yield "options", "must not name anything twice"
    if default is None:
        return
    if fields["sensitive"]:
        yield "default", "is not for a sensitive parameter: everybody who reads the version would see it"
    if options and default not in options:
        yield "default", "must be one of the options" + _suggestion(default, options)
    if (least is not None and default < least) or (most is not None and default > most):
        yield "default", "must be within min and max"
    if len(str(default)) > fields.get("max_length", len(str(default))):
        yield "default", f"must have at most {fields['max_length']} characters"
