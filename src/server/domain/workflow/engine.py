"""What a run does next: one pure step from what is known to what is to be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from server.domain.workflow.definition import Definition
from server.domain.workflow.run import Ended, NodeState, RunState, RunStatus


@dataclass(frozen=True, slots=True)
class Step:
    """What a run does next, all to be stored in one transaction.

    `changed` are the nodes that ended, were skipped or were cut off, as they are now. `to_begin` are nodes whose work
    begins now; whoever begins one answers with its `NodeState`, which may have ended already, and then asks again.
    `to_cancel` are the names among `changed` whose work goes on outside and has to be told to end. `status` is the
    run's. `wake_at` is when to look again even if nothing is heard; None: no time is of importance.
    """

    changed: Mapping[str, NodeState]
    to_begin: Sequence[str]
    to_cancel: Sequence[str]
    status: RunStatus
    problem: str
    wake_at: datetime | None


def advance(definition: Definition, run: RunState, ended: Mapping[str, Ended], now: datetime) -> Step:
    """Answers what `run` does next, given how the work of active nodes ended.

    Of a node that is not active, `ended` says nothing: what comes twice or late changes nothing. What ended counts,
    even where the deadline is past in the same step. The same question has the same answer, and once its answer is
    stored, the next one is empty.
    """
    raise NotImplementedError
