"""What is checked of an incident, and of what is said of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from uuid import UUID

from server.domain.component import REPORTABLE, ComponentStatus
from server.domain.violation import Violations, why_unstorable

LONGEST_TITLE = 200
LONGEST_DESCRIPTION = 10_000
LONGEST_MESSAGE = 10_000
MOST_IMPACTS = 500
MOST_LABELS = 50
LONGEST_LABEL = 200
_LABEL = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_LINE_BREAKS = re.compile("[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")


def check_title(violations: Violations, field: str, title: str) -> None:
    violations.text(field, title, shortest=1, longest=LONGEST_TITLE)
    if title and not title.strip():
        violations.add(field, "must not be blank")
    if _LINE_BREAKS.search(title):
        violations.add(field, "must not have line breaks")


def check_message(violations: Violations, field: str, message: str, *, required: bool) -> None:
    violations.text(field, message, shortest=1 if required else 0, longest=LONGEST_MESSAGE)
    if message and not message.strip():
        violations.add(field, "must not be blank")


def check_labels(violations: Violations, field: str, labels: Mapping[str, str]) -> None:
    if len(labels) > MOST_LABELS:
        violations.add(field, f"must be at most {MOST_LABELS}")
        return
    for key, value in sorted(labels.items()):
        if not _LABEL.fullmatch(key):
            violations.add(field, "must have keys of 1 to 63 of a-z, 0-9, '_', '.' and '-', beginning with a-z or 0-9")
        elif len(value) > LONGEST_LABEL:
            violations.add(f"{field}[{key}]", f"must have at most {LONGEST_LABEL} characters")
        elif unstorable := why_unstorable(value):
            violations.add(f"{field}[{key}]", unstorable)


def check_impacts(
    violations: Violations, field: str, impacts: Sequence[tuple[str, str]]
) -> dict[UUID, ComponentStatus]:
    """Answers the impacts by component; each is a component's id and the name of a status, as sent."""
    if len(impacts) > MOST_IMPACTS:
        violations.add(field, f"must be at most {MOST_IMPACTS}")
        return {}
    names = {status.name: status for status in REPORTABLE}
    found: dict[UUID, ComponentStatus] = {}
    for index, (component, status) in enumerate(impacts):
        component_id = violations.uuid(f"{field}[{index}].component_id", component)
        if status not in names:
            violations.add(f"{field}[{index}].status", "must be one of " + ", ".join(names))
        if component_id in found:
            violations.add(f"{field}[{index}].component_id", "must not name anything twice")
        found[component_id] = names.get(status, ComponentStatus.OPERATIONAL)
    return found
