"""Follows an execution's log over lost connections; the rules are those of `oncall.follow`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cli.connection import Stream
from cli.reattaching import Reattaching
from oncall.errors import OncallError
from oncall.follow import Backoff, Progress
from oncall.v1.execution_pb2 import ExecutionEvent
from oncall.v1.runbook_service_pb2 import ExecuteRequest
from oncall.v1.runbook_service_pb2_grpc import RunbookServiceStub


class Follow(Reattaching[ExecutionEvent]):
    """The events, each once and in order."""

    lost = "the connection is lost; the script runs on, attaching again …"
    back = "the connection is back; nothing was missed"

    def __init__(
        self,
        runbooks: RunbookServiceStub,
        progress: Progress,
        say: Callable[[str], None],
        backoff: Backoff | None = None,
    ) -> None:
        super().__init__(say, backoff)
        self.progress = progress
        self._runbooks = runbooks

    def _attach(self) -> Iterator[ExecutionEvent]:
        try:
            for answer in self._open():
                if self.progress.accept(answer.event):
                    yield answer.event
        except OncallError:
            if not self.progress.ended:
                raise  # else all that was lost is the end of the stream

    def _open(self) -> Stream:
        request = self.progress.next_request()
        if isinstance(request, ExecuteRequest):
            return self._opened(self._runbooks.Execute(request))
        return self._opened(self._runbooks.WatchExecution(request))
