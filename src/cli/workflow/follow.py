"""Follows a run over lost connections."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import cast

from cli.connection import Server, Stream
from oncall.errors import OncallError
from oncall.follow import Backoff
from oncall.v1.workflow_pb2 import WORKFLOW_NODE_STATUS_RUNNING, WORKFLOW_RUN_STATUS_RUNNING, WorkflowRun
from oncall.v1.workflow_service_pb2 import WatchWorkflowRunRequest


class RunFollow:
    """An iteration over a run as it is and after changes, that another thread may stop.

    The last is as the run ended: with its compensation, where that runs. `say` is told once when the connection is lost
    and once when it is back. A new one begins with the run as it is, so nothing that still counts is missed.
    """

    def __init__(self, server: Server, run_id: str, say: Callable[[str], None], backoff: Backoff | None = None) -> None:
        self._server = server
        self._request = WatchWorkflowRunRequest(workflow_run_id=run_id)
        self._say = say
        self._backoff = backoff or Backoff()
        self._stopped = threading.Event()
        self._stream: Stream | None = None

    def __iter__(self) -> Iterator[WorkflowRun]:
        lost = False
        while not self._stopped.is_set():
            try:
                self._stream = stream = cast("Stream", self._server.workflows.WatchWorkflowRun(self._request))
                for answer in stream:
                    if lost:
                        self._say("the connection is back")
                        lost = False
                    self._backoff.progressed()
                    yield answer.workflow_run
                    if has_ended(answer.workflow_run):
                        return
                return
            except OncallError as error:
                if self._stopped.is_set():
                    return
                delay = self._backoff.next_delay() if error.is_transient else None
                if delay is None:
                    raise
            if not lost:
                self._say("the connection is lost; the run goes on, attaching again …")
                lost = True
            self._stopped.wait(delay)

    def stop(self) -> None:
        """Ends the iteration from outside; the run goes on."""
        self._stopped.set()
        if self._stream is not None:
            self._stream.cancel()


def has_ended(run: WorkflowRun) -> bool:
    """Whether nothing of a run goes on by itself: it has ended, and does not run what undoes it."""
    going_on = {run.compensation.status} & {WORKFLOW_NODE_STATUS_RUNNING}
    return run.status != WORKFLOW_RUN_STATUS_RUNNING and not going_on
