"""Follows a run over lost connections."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from cli.connection import Server
from oncall.errors import OncallError
from oncall.follow import Backoff
from oncall.v1.workflow_pb2 import WORKFLOW_NODE_STATUS_RUNNING, WORKFLOW_RUN_STATUS_RUNNING, WorkflowRun
from oncall.v1.workflow_service_pb2 import WatchWorkflowRunRequest


def follow(
    server: Server,
    run_id: str,
    say: Callable[[str], None],
    backoff: Backoff | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[WorkflowRun]:
    """Yields a run as it is and after changes, the last as it ended: with its compensation, where that runs.

    `say` is told once when the connection is lost and once when it is back. A new one begins with the run as it is,
    so nothing that still counts is missed.
    """
    backoff = backoff or Backoff()
    request = WatchWorkflowRunRequest(workflow_run_id=run_id)
    lost = False
    while True:
        try:
            for answer in server.workflows.WatchWorkflowRun(request):
                if lost:
                    say("the connection is back")
                    lost = False
                backoff.progressed()
                yield answer.workflow_run
                if has_ended(answer.workflow_run):
                    return
            return
        except OncallError as error:
            delay = backoff.next_delay() if error.is_transient else None
            if delay is None:
                raise
        if not lost:
            say("the connection is lost; the run goes on, attaching again …")
            lost = True
        wait(delay)


def has_ended(run: WorkflowRun) -> bool:
    """Whether nothing of a run goes on by itself: it has ended, and does not run what undoes it."""
    going_on = {run.compensation.status} & {WORKFLOW_NODE_STATUS_RUNNING}
    return run.status != WORKFLOW_RUN_STATUS_RUNNING and not going_on
