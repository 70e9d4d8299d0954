"""Two questions that are asked of a workflow from outside: whether it starts, and whether it stops by itself."""

from __future__ import annotations

from server.domain.workflow.context import Context
from server.domain.workflow.definition import Definition, Event


def trigger_holds(definition: Definition, event: Event, context: Context) -> bool:
    """Whether what happened starts it. Raises TemplateProblem where its condition has no answer.

    Nothing starts then, and the team should hear of it.
    """
    raise NotImplementedError


def brake_reason(definition: Definition, context: Context, failed_in_a_row: int = 0) -> str:
    """Says why it stops by itself; empty: it does not.

    `failed_in_a_row` counts the runs of this version that failed since the last that completed. A condition that has no
    answer stops it too: a brake that cannot be read is not one to drive on with.
    """
    raise NotImplementedError
