"""Follows an execution's log over lost connections, synchronously; the rules are those of `oncall.follow`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from cli.connection import Stream
from oncall.errors import OncallError
from oncall.follow import Backoff, Progress
from oncall.v1.execution_pb2 import ExecutionEvent
from oncall.v1.runbook_service_pb2 import ExecuteRequest
from oncall.v1.runbook_service_pb2_grpc import RunbookServiceStub


class Follow:
    """An iteration over the events, each once and in order, that another thread may stop.

    `say` is told once when the connection is lost and once when it is back.
    """

    def __init__(
        self,
        runbooks: RunbookServiceStub,
        progress: Progress,
        say: Callable[[str], None],
        backoff: Backoff | None = None,
    ) -> None:
        self.progress = progress
        self._runbooks = runbooks
        self._say = say
        self._backoff = backoff or Backoff()
        self._stopped = threading.Event()
        self._stream: Stream | None = None

    def __iter__(self) -> Iterator[ExecutionEvent]:
        lost = False
        while not self._stopped.is_set():
            try:
                for event in self._open():
                    if lost:
                        self._say("the connection is back; nothing was missed")
                        lost = False
                    if self.progress.accept(event):
                        self._backoff.progressed()
                        yield event
                return
            except OncallError as error:
                if self._stopped.is_set() or self.progress.ended:
                    return
                delay = self._backoff.next_delay() if error.is_transient else None
                if delay is None:
                    raise
            if not lost:
                self._say("the connection is lost; the script runs on, attaching again …")
                lost = True
            self._stopped.wait(delay)

    def stop(self) -> None:
        """Ends the iteration from outside; the execution goes on."""
        self._stopped.set()
        if self._stream is not None:
            self._stream.cancel()

    def _open(self) -> Iterator[ExecutionEvent]:
        request = self.progress.next_request()
        if isinstance(request, ExecuteRequest):
            self._stream = self._runbooks.Execute(request)  # type: ignore[assignment] # the channel answers a Stream
        else:
            self._stream = self._runbooks.WatchExecution(request)  # type: ignore[assignment]
        return (response.event for response in self._stream)  # type: ignore[union-attr]
