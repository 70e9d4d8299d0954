"""Holds a document against a format: every violation with its line, and a guess at what was meant."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from cli.as_code.problem import Path, Problem
from cli.as_code.yaml_reading import Document

Model = type[BaseModel]
Form = TypeVar("Form", bound=BaseModel)


class Part(BaseModel):
    """A mapping of a format: nothing but what it names, nothing converted, nothing changed later."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


@dataclass(frozen=True, slots=True)
class Format(Generic[Form]):
    """A format of files, as `oncall: runbook/v1` begins one: its model, and what no single field of that shows."""

    name: str
    model: type[Form]
    contradictions: Callable[[Form], Iterator[tuple[Path, str]]]

    @property
    def noun(self) -> str:
        """Answers what one document describes: `runbook`."""
        return self.name.partition("/")[0]


def check(document: Document, wanted: Format[Form]) -> tuple[Form | None, list[Problem]]:
    """Answers the form that a document fills in, or all that is wrong with it."""
    if not isinstance(document.data, dict):
        return None, [document.problem((), f"must be a mapping that begins with `oncall: {wanted.name}`")]
    if document.data.get("oncall") != wanted.name:
        return None, [document.problem(("oncall",), f"must be {wanted.name}: this is no file of that format")]
    try:
        filled = wanted.model.model_validate(document.data)
    except ValidationError as error:
        return None, [_problem(document, wanted.model, details) for details in error.errors(include_url=False)]
    problems = [document.problem(path, sentence) for path, sentence in wanted.contradictions(filled)]
    return (None if problems else filled), problems


def suggestion(word: str, known: Iterable[str]) -> str:
    """Answers a question after the one that may have been meant; empty where none is close."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f": do you mean {close[0]}?" if close else ""


def _problem(document: Document, model: Model, details: ErrorDetails) -> Problem:
    path = _place(model, details["loc"])
    match details["type"]:
        case "extra_forbidden":
            return document.problem(path, _unknown(document.data, model, path))
        case "missing" | "union_tag_not_found":
            missing = path if details["type"] == "missing" else (*path, "type")
            return document.problem(missing, "is required")
        case "union_tag_invalid":
            tags = _listed(details["ctx"]["expected_tags"])
            return document.problem((*path, "type"), _none_of(_at(document.data, (*path, "type")), tags))
        case "literal_error":
            return document.problem(path, _none_of(details["input"], _listed(details["ctx"]["expected"])))
        case "string_type":
            quotes = ": put it in quotes" if isinstance(details["input"], bool | int | float) else ""
            return document.problem(path, f"must be text{quotes}")
    return document.problem(path, _SENTENCES.get(details["type"]) or _sentence(details["msg"]))


_SENTENCES = {
    "dict_type": "must be a mapping",
    "list_type": "must be a list",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "string_unicode": "must be valid Unicode",
}


def _sentence(message: str) -> str:
    for before, after in (("Input should", "must"), ("String should", "must"), ("List should", "must")):
        if message.startswith(before):
            return after + message.removeprefix(before)
    return message[:1].lower() + message[1:]


def _listed(expected: str) -> list[str]:
    return expected.replace(" or ", ", ").replace("'", "").split(", ")


def _none_of(value: object, choices: Iterable[str]) -> str:
    return f"must be one of {', '.join(choices)}" + suggestion(str(value).lower(), choices)


def _place(model: Model, location: Path) -> Path:
    """Answers the place in the document: without the types by which one of several models was chosen."""
    models, rest = [model], list(location)
    place: Path = ()
    while rest:
        part = rest.pop(0)
        place = (*place, part)
        if isinstance(part, int):
            if len(models) > 1 and len(rest) > 1:
                rest.pop(0)
        else:
            models = _below(models, part)
    return place


def _unknown(data: Any, model: Model, path: Path) -> str:
    models, key = [model], str(path[-1])
    for part in path[:-1]:
        models = models if isinstance(part, int) else _below(models, part)
    if len(models) == 1:
        return "is not known" + suggestion(key, models[0].model_fields)
    kind = _at(data, (*path[:-1], "type"))
    if any(key in other.model_fields for other in models):
        return f"does not apply to a {str(path[0]).removesuffix('s')} of type {kind}"
    chosen = next(one for one in models if kind in get_args(one.model_fields["type"].annotation))
    return "is not known" + suggestion(key, chosen.model_fields)


def _below(models: Iterable[Model], name: str) -> list[Model]:
    """Answers the models that the field `name` of one of these may hold, itself or in a list."""
    fields = [model.model_fields[name] for model in models if name in model.model_fields]
    return [found for field in fields for found in _models_in(field.annotation)]


def _models_in(annotation: Any) -> list[Model]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in get_args(annotation) for found in _models_in(inner)]


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data
