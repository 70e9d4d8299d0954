"""Fills in the parameters of a runbook, and makes of each what its definition asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from kernel.execution.content import ParameterDefinition, ParameterType
from server.domain.workflow.context import Context
from server.domain.workflow.definition import Json
from server.domain.workflow.language import TemplateProblem, fill_all, is_template

_NUMBERS = {ParameterType.INTEGER, ParameterType.NUMBER}
_TEXTS = {ParameterType.STRING, ParameterType.ENUM}
_BOOLEANS: Mapping[str, bool] = {"true": True, "false": False}


def fill_parameters(
    parameters: Mapping[str, Json], context: Context, definitions: Sequence[ParameterDefinition]
) -> dict[str, Json]:
    """Answers the values that are given to a runbook; none of a template that comes to null, as if it had not been set.

    A text that was filled in becomes a number or a boolean where its definition asks for one and it reads as one; a
    number or a boolean becomes a text. Whether that is right, `parameter.check_values` says. Raises TemplateProblem.
    """
    types = {definition.name: definition.type for definition in definitions}
    values: dict[str, Json] = {}
    for name, value in parameters.items():
        if not (isinstance(value, str) and is_template(value)):
            values[name] = value
            continue
        try:
            filled = fill_all(value, context)
        except TemplateProblem as problem:
            raise TemplateProblem(f"parameters.{name}: {problem}") from None
        if filled is not None:
            values[name] = _fitted(filled, types.get(name))
    return values


def _fitted(value: Json, wanted: ParameterType | None) -> Json:
    if wanted in _TEXTS and isinstance(value, bool | int | float):
        return json.dumps(value)
    if not isinstance(value, str):
        return value
    if wanted is ParameterType.BOOLEAN:
        return _BOOLEANS.get(value.strip().lower(), value)
    return _number(value) if wanted in _NUMBERS else value


def _number(text: str) -> Json:
    """Answers what a text of at most 40 characters reads as in JSON, if that is a number."""
    try:
        found = json.loads(text) if len(text) <= 40 else text
    except ValueError:
        return text
    return found if isinstance(found, int | float) and not isinstance(found, bool) else text
