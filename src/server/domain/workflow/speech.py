"""What a definition speaks of in all its templates and conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from server.domain.workflow.definition import (
    ApprovalWork,
    ConditionWork,
    Definition,
    DelayWork,
    Json,
    NotifyWork,
    RunbookWork,
    WebhookWork,
    Work,
)
from server.domain.workflow.language import Path, is_template, parse_condition, parse_template


def speaks_of_incident(definition: Definition) -> bool:
    """Whether any template or condition of it needs an incident, so that a run by hand has to name one.

    Its trigger's condition does not count: nobody asks it of a run by hand.
    """
    return any(path[0] == "incident" or path[:2] == ("trigger", "incident") for path in _paths(definition))


def _paths(definition: Definition) -> Iterator[Path]:
    for text in _templates(definition):
        if is_template(text):
            yield from parse_template(text).names()
    for text in _conditions(definition):
        yield from parse_condition(text).names()


def _conditions(definition: Definition) -> Iterator[str]:
    if definition.brake and definition.brake.condition:
        yield definition.brake.condition
    for node in definition.nodes:
        if isinstance(node.work, ConditionWork):
            yield node.work.expression


def _templates(definition: Definition) -> Iterator[str]:
    for node in definition.nodes:
        yield from _texts_of(node.work)
    if definition.compensation:
        yield from _texts_of(definition.compensation.work)


def _texts_of(work: Work) -> Iterator[str]:
    match work:
        case RunbookWork():
            yield from _texts_in(work.parameters)
        case NotifyWork():
            yield from (work.subject, work.body)
        case WebhookWork():
            yield work.url
            yield from _texts_in(work.body)
        case ApprovalWork():
            yield work.question
        case ConditionWork() | DelayWork():
            pass


def _texts_in(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _texts_in(member)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts_in(item)
