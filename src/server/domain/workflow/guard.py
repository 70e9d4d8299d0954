"""Two questions that are asked of a workflow from outside: whether it starts, and whether it stops by itself."""

from __future__ import annotations

from server.domain.workflow.context import Context
from server.domain.workflow.definition import Definition, Event
from server.domain.workflow.language import TemplateProblem, holds, parse_condition


def trigger_holds(definition: Definition, event: Event, context: Context) -> bool:
    """Whether what happened starts it. Raises TemplateProblem where its condition has no answer.

    Nothing starts then, and the team should hear of it.
    """
    if event is Event.MANUAL or definition.trigger.event is not event:
        return False
    condition = definition.trigger.condition
    return not condition or holds(parse_condition(condition), context)


def brake_reason(definition: Definition, context: Context, failed_in_a_row: int = 0) -> str:
    """Says why it stops by itself; empty: it does not.

    `failed_in_a_row` counts the runs of this version that failed since the last that completed. A condition that has no
    answer stops it too: a brake that cannot be read is not one to drive on with.
    """
    brake = definition.brake
    if brake is None:
        return ""
    if brake.failed_runs and failed_in_a_row >= brake.failed_runs:
        return f"its brake: {failed_in_a_row:,} runs failed one after the other"
    try:
        held = bool(brake.condition) and holds(parse_condition(brake.condition), context)
    except TemplateProblem as problem:
        return f"its brake has no answer: {problem}"
    return "its brake: the condition for stopping is true" if held else ""
