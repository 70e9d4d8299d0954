"""Shows a run as it goes on: a line for each change of a step on stdout, everything else on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.text import Text

from cli.output import STATUS_STYLES, enum_name, json_line, note, plain
from cli.visible import visible
from oncall.v1 import workflow_pb2 as pb

INTERRUPTED = 130  # 128 + SIGINT
_EXIT_CODES = {
    pb.WORKFLOW_RUN_STATUS_COMPLETED: 0,
    pb.WORKFLOW_RUN_STATUS_CANCELLED: INTERRUPTED,
    pb.WORKFLOW_RUN_STATUS_TIMEOUT: 124,  # as timeout(1) ends
}
_SOFTWARE_ERROR = 70  # EX_SOFTWARE of sysexits.h
_SUMMARIES = {
    pb.WORKFLOW_RUN_STATUS_COMPLETED: "completed",
    pb.WORKFLOW_RUN_STATUS_CANCELLED: "cancelled",
    pb.WORKFLOW_RUN_STATUS_TIMEOUT: "stopped, for its time was over",
    pb.WORKFLOW_RUN_STATUS_STOPPED: "stopped by its brake",
}
COMPENSATION = "(compensation)"


class RunPrinter(Protocol):
    def show(self, run: pb.WorkflowRun) -> None: ...

    def say(self, sentence: str) -> None:
        """Says something about the run that is none of its steps."""


class JsonRunPrinter:
    """One JSON object a change, the whole run, one a line on stdout; remarks stay on stderr."""

    def show(self, run: pb.WorkflowRun) -> None:
        sys.stdout.write(json_line(run) + "\n")
        sys.stdout.flush()

    def say(self, sentence: str) -> None:
        note(f"oncall: {sentence}")


class HumanRunPrinter:
    """A line for each step whose state is another than it was when the run was shown last."""

    def __init__(self) -> None:
        self._shown: dict[str, int] = {}
        self._console = Console(highlight=False)

    def show(self, run: pb.WorkflowRun) -> None:
        steps = sorted(named_steps(run), key=lambda pair: _moment(pair[1]))
        width = max((len(name) for name, _ in steps), default=0)
        for name, step in steps:
            if step.status != self._shown.get(name, pb.WORKFLOW_NODE_STATUS_PENDING):
                self._shown[name] = step.status
                self._print(run, name.ljust(width), step)
        sys.stdout.flush()

    def say(self, sentence: str) -> None:
        note(f"oncall: {sentence}")

    def _print(self, run: pb.WorkflowRun, name: str, step: pb.WorkflowNodeRun) -> None:
        status = enum_name(step, "status")
        remark = "; ".join(remarks(run, step))
        line = Text.assemble(
            (f"{_clock(step)}  ", "dim"),
            f"{visible(name)}  ",
            (f"{status:<9}", STATUS_STYLES.get(status, "")),
            f"  {visible(remark)}" if remark else "",
        )
        line.rstrip()
        self._console.print(line, soft_wrap=True)  # a line is a change, however long it is


def named_steps(run: pb.WorkflowRun) -> list[tuple[str, pb.WorkflowNodeRun]]:
    """Answers the steps of a run with their names, its compensation last, if one was offered."""
    steps = [(node.name, node) for node in run.nodes]
    return [*steps, (COMPENSATION, run.compensation)] if run.HasField("compensation") else steps


def remarks(run: pb.WorkflowRun, step: pb.WorkflowNodeRun) -> Iterator[str]:
    """Yields what else there is to know of a step in the state that it is in."""
    match step.status:
        case pb.WORKFLOW_NODE_STATUS_WAITING:
            yield step.question or "go on?"
            yield f"oncall workflow approve {run.id} {step.name or '--compensation'}"
        case pb.WORKFLOW_NODE_STATUS_RUNNING if step.execution_id:
            yield f"oncall watch {step.execution_id}"
        case pb.WORKFLOW_NODE_STATUS_SKIPPED:
            return
        case _:
            yield from _ended(step)


def exit_code_of(run: pb.WorkflowRun) -> int:
    """Answers how `oncall workflow watch` ends for a run that ended so."""
    return _EXIT_CODES.get(run.status, _SOFTWARE_ERROR)


def summary(run: pb.WorkflowRun) -> str:
    """Answers one sentence on how a run ended."""
    ended = _SUMMARIES.get(run.status, enum_name(run, "status").lower())
    problem = f": {visible(run.problem)}" if run.problem else ""
    took = duration(run.created_at, run.completed_at)
    return f"{ended}{f' after {took}' if took else ''}{problem}"


def duration(began: Timestamp, ended: Timestamp) -> str:
    """Answers how long something took; empty where it has not begun or not ended."""
    if not (began.ByteSize() and ended.ByteSize()):
        return ""
    return f"{(ended.ToNanoseconds() - began.ToNanoseconds()) / 1e9:.1f} s"


def _ended(step: pb.WorkflowNodeRun) -> Iterator[str]:
    output = json_format.MessageToDict(step.output)
    if took := duration(step.started_at, step.completed_at):
        yield took
    if "result" in output:
        yield plain(output["result"])
    if output.get("decided_by"):
        yield f"by {output['decided_by']}"
    for sentence in (output.get("comment"), step.problem):
        if sentence:
            yield sentence


def _moment(step: pb.WorkflowNodeRun) -> int:
    """Answers when the state of a step began; what has not begun comes last."""
    time = step.completed_at if step.completed_at.ByteSize() else step.started_at
    return time.ToNanoseconds() if time.ByteSize() else 2**63


def _clock(step: pb.WorkflowNodeRun) -> str:
    time = step.completed_at if step.completed_at.ByteSize() else step.started_at
    return datetime.fromtimestamp(time.seconds).astimezone().strftime("%H:%M:%S") if time.ByteSize() else " " * 8
