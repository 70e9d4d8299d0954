"""How the work of nodes ends outside, in the form in which `engine.advance` hears of it."""

from __future__ import annotations

from uuid import UUID

from kernel.execution.status import ExecutionStatus
from server.domain.workflow.definition import Json
from server.domain.workflow.run import Ended

LONGEST_TAIL = 4096
"""Characters of each stream that later steps are given."""


def executed(
    status: ExecutionStatus,
    *,
    exit_code: int | None,
    stdout: str,
    stderr: str,
    output: Json,
    problem: str = "",
) -> Ended:
    """Answers how an execution that has ended ends its node.

    `stdout` and `stderr` are kept by their last 4,096 characters; `output` is what the script wrote to
    `$ONCALL_OUTPUT`; `problem` is the execution's error, if it has one.
    """
    raise NotImplementedError


def delivered(succeeded: bool, *, status_code: int | None = None, problem: str = "") -> Ended:
    """Answers how a delivery (of all of a node's, the last) ends its node; `status_code` of a webhook."""
    raise NotImplementedError


def decided(approved: bool, *, comment: str, decided_by: UUID, name: str) -> Ended:
    """Answers how somebody's word ends an approval; `name` is their display name, which `nodes.x.decided_by` tells."""
    raise NotImplementedError
