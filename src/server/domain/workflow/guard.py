"""What is asked of a workflow from outside: whether it starts, whether too often, and whether it stops by itself."""

from __future__ import annotations

from datetime import timedelta

from server.domain.workflow.context import Context
from server.domain.workflow.definition import Definition, Event
from server.domain.workflow.language import TemplateProblem, holds, parse_condition

MOST_RUNS = 100
WITHIN = timedelta(hours=1)
"""So many runs about one incident may the incident's events start of one workflow in that time."""


def too_often(begun: int) -> str:
    """Says why no further run starts, given how many about the incident began lately; empty: it may.

    What a run does outside may say something of its incident again, and so start the next one, for ever.
    """
    if begun < MOST_RUNS:
        return ""
    return f"{begun:,} runs of it about this incident began within an hour: what it does may be what starts it"


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
