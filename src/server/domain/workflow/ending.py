"""How the work of nodes ends outside, in the form in which `engine.advance` hears of it."""

from __future__ import annotations

from kernel.execution.status import ExecutionStatus
from server.domain.workflow.definition import Json
from server.domain.workflow.run import Ended

LONGEST_TAIL = 4096
"""Characters of each stream that later steps are given."""
_PROBLEMS = {
    ExecutionStatus.CANCELLED: "its execution was cancelled",
    ExecutionStatus.TIMEOUT: "its execution ran out of time",
}


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
    kept: dict[str, Json] = {
        "exit_code": exit_code,
        "stdout": stdout[-LONGEST_TAIL:],
        "stderr": stderr[-LONGEST_TAIL:],
        "output": output,
    }
    if status is ExecutionStatus.COMPLETED:
        return Ended(True, kept)
    usual = "its script failed" if exit_code is None else f"its script ended with exit code {exit_code}"
    return Ended(False, kept, problem or _PROBLEMS.get(status, usual))


def delivered(succeeded: bool, *, status_code: int | None = None, problem: str = "") -> Ended:
    """Answers how a delivery (of all of a node's, the last) ends its node; `status_code` of a webhook."""
    output: dict[str, Json] = {} if status_code is None else {"status_code": status_code}
    return Ended(succeeded, output, "" if succeeded else problem or "it could not be delivered")


def decided(approved: bool, *, comment: str, decided_by: str) -> Ended:
    """Answers how somebody's word ends an approval; `decided_by` is their display name, as later steps are told."""
    decision = "APPROVE" if approved else "REJECT"
    output: dict[str, Json] = {"decision": decision, "comment": comment, "decided_by": decided_by}
    return Ended(approved, output, "" if approved else f"{decided_by} said no")
