"""Follows a run over lost connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cli.connection import Server
from cli.reattaching import Reattaching
from oncall.follow import Backoff
from oncall.v1.workflow_pb2 import WORKFLOW_NODE_STATUS_RUNNING, WORKFLOW_RUN_STATUS_RUNNING, WorkflowRun
from oncall.v1.workflow_service_pb2 import WatchWorkflowRunRequest


class RunFollow(Reattaching[WorkflowRun]):
    """A run as it is and after changes; the last is as it ended: with its compensation, where that runs.

    A new connection begins with the run as it is, so nothing that still counts is missed.
    """

    lost = "the connection is lost; the run goes on, attaching again …"
    back = "the connection is back"

    def __init__(self, server: Server, run_id: str, say: Callable[[str], None], backoff: Backoff | None = None) -> None:
        super().__init__(say, backoff)
        self._server = server
        self._request = WatchWorkflowRunRequest(workflow_run_id=run_id)

    def _attach(self) -> Iterator[WorkflowRun]:
        for answer in self._opened(self._server.workflows.WatchWorkflowRun(self._request)):
            yield answer.workflow_run
            if has_ended(answer.workflow_run):
                return


def has_ended(run: WorkflowRun) -> bool:
    """Whether nothing of a run goes on by itself: it has ended, and does not run what undoes it."""
    going_on = {run.compensation.status} & {WORKFLOW_NODE_STATUS_RUNNING}
    return run.status != WORKFLOW_RUN_STATUS_RUNNING and not going_on
