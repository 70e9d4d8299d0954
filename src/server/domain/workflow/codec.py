"""A definition as JSON, as it is kept with a workflow and with every run of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server.domain.workflow.definition import Definition


def definition_to_json(definition: Definition) -> dict[str, Any]:
    """Answers plain JSON values; what has its default is written too, so that defaults may change later."""
    raise NotImplementedError


def definition_from_json(kept: Mapping[str, Any]) -> Definition:
    """Reads what `definition_to_json` wrote."""
    raise NotImplementedError
