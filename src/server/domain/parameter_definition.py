"""Checks how a version defines its parameters."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kernel.execution.content import ParameterDefinition, ParameterType
from server.domain import pattern
from server.domain.parameter import WrongValueError, check_value
from server.domain.violation import Violations

MOST_PARAMETERS = 100
MOST_OPTIONS = 100
LONGEST_NAME = 64
LONGEST_DESCRIPTION = 1000
LONGEST_OPTION = 200
DEFAULT_LENGTH = 4096
GREATEST_LENGTH = 16_384  # an environment variable holds 128 KiB, and a character is at most 4 bytes

NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class ParameterDraft:
    """A definition as it was sent: nothing checked, `type` possibly empty or unknown, zeros for what was not set."""

    name: str
    type: str
    required: bool = False
    default: object = None
    description: str = ""
    pattern: str = ""
    min: float | None = None
    max: float | None = None
    max_length: int = 0
    options: Sequence[str] = ()
    sensitive: bool = False


def check_definitions(
    violations: Violations, field: str, drafts: Sequence[ParameterDraft]
) -> tuple[ParameterDefinition, ...]:
    """Answers the definitions with defaults filled in, having noted what is wrong with any."""
    if len(drafts) > MOST_PARAMETERS:
        violations.add(field, f"must be at most {MOST_PARAMETERS}")
        return ()
    violations.unique(field, [draft.name for draft in drafts])
    checked = [_check(violations, f"{field}[{index}]", draft) for index, draft in enumerate(drafts)]
    return tuple(definition for definition in checked if definition)


def check_name(violations: Violations, field: str, name: str) -> None:
    """Wants what can end an environment variable's name."""
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        violations.add(field, f"must match [a-z][a-z0-9_]* and have at most {LONGEST_NAME} characters")


def _check(violations: Violations, field: str, draft: ParameterDraft) -> ParameterDefinition | None:
    check_name(violations, f"{field}.name", draft.name)
    violations.text(f"{field}.description", draft.description, longest=LONGEST_DESCRIPTION)
    if draft.type not in ParameterType.__members__:
        violations.add(f"{field}.type", "must be one of " + ", ".join(ParameterType))
        return None
    definition = ParameterDefinition(
        name=draft.name,
        type=ParameterType(draft.type),
        required=draft.required,
        description=draft.description,
        pattern=draft.pattern,
        min=draft.min,
        max=draft.max,
        max_length=draft.max_length or DEFAULT_LENGTH,
        options=tuple(draft.options),
        sensitive=draft.sensitive,
    )
    # A default can be held against the rest only where the rest is sound.
    if _misplaced(violations, field, draft) or _unsound(violations, field, definition):
        return None
    return _with_default(violations, field, definition, draft.default)


def _misplaced(violations: Violations, field: str, draft: ParameterDraft) -> bool:
    """Notes what this type does not have."""
    applies: Mapping[str, tuple[bool, set[str]]] = {
        "pattern": (bool(draft.pattern), {"STRING"}),
        "max_length": (bool(draft.max_length), {"STRING"}),
        "min": (draft.min is not None, {"INTEGER", "NUMBER"}),
        "max": (draft.max is not None, {"INTEGER", "NUMBER"}),
        "options": (bool(draft.options), {"ENUM"}),
    }
    misplaced = [name for name, (is_set, types) in applies.items() if is_set and draft.type not in types]
    for name in misplaced:
        violations.add(f"{field}.{name}", f"does not apply to a parameter of type {draft.type}")
    return bool(misplaced)


def _unsound(violations: Violations, field: str, definition: ParameterDefinition) -> bool:
    found = Violations()
    found.number(f"{field}.max_length", definition.max_length, least=1, greatest=GREATEST_LENGTH)
    found.text(f"{field}.pattern", definition.pattern, longest=pattern.LONGEST)
    if len(definition.pattern) <= pattern.LONGEST and (problem := pattern.problem_of(definition.pattern)):
        found.add(f"{field}.pattern", problem)
    for name, bound in (("min", definition.min), ("max", definition.max)):
        if bound is not None and not math.isfinite(bound):
            found.add(f"{field}.{name}", "must be a finite number")
    if definition.min is not None and definition.max is not None and definition.min > definition.max:
        found.add(f"{field}.max", "must not be less than min")
    if definition.type is ParameterType.ENUM:
        _check_options(found, f"{field}.options", definition.options)
    return violations.include(found)


def _check_options(violations: Violations, field: str, options: Sequence[str]) -> None:
    if not 1 <= len(options) <= MOST_OPTIONS:
        violations.add(field, f"must be 1 to {MOST_OPTIONS}")
        return
    violations.unique(field, options)
    for index, option in enumerate(options):
        violations.text(f"{field}[{index}]", option, shortest=1, longest=LONGEST_OPTION)


def _with_default(
    violations: Violations, field: str, definition: ParameterDefinition, default: object
) -> ParameterDefinition | None:
    if default is None:
        return definition
    if definition.sensitive:
        violations.add(
            f"{field}.default", "a sensitive parameter has none: everybody who reads the version would see it"
        )
        return None
    try:
        return replace(definition, default=check_value(definition, default))
    except WrongValueError as wrong:
        violations.add(f"{field}.default", str(wrong))
        return None
