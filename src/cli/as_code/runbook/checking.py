"""What is wrong with a runbook's file that no single field shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from cli.as_code.checking import Format, suggestion
from cli.as_code.problem import Path
from cli.as_code.runbook.form import FORMAT, RunbookForm


def _contradictions(filled: RunbookForm) -> Iterator[tuple[Path, str]]:
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
        yield "default", "must be one of the options" + suggestion(default, options)
    if (least is not None and default < least) or (most is not None and default > most):
        yield "default", "must be within min and max"
    if len(str(default)) > fields.get("max_length", len(str(default))):
        yield "default", f"must have at most {fields['max_length']} characters"


RUNBOOKS = Format(FORMAT, RunbookForm, _contradictions)
