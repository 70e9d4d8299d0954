"""One log line a request: method, path, status, time. Never a query string or a header: tokens travel in both.

It is the one line that is written at the rate of requests, so it does without structlog's pipeline where it is JSON,
and the lines of all requests that were answered in one turn of the loop are written together.
"""

from __future__ import annotations

import asyncio
import sys
import time
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.edge.metrics import Metrics
from kernel.telemetry import writes_json

log = structlog.get_logger()


class RequestLog:
    """Writes a line for each request, and counts it for Prometheus."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._lines: list[str] = []
        self._second, self._second_text = 0, ""

    def answered(self, route: str, method: str, path: str, status: int, began: float, answered: float) -> None:
        """Notes what ends now; times are of `time.perf_counter`, of its begin and of when its answer began."""
        ended = time.perf_counter()
        self._metrics.answered(route, method, status, answered - began)
        milliseconds = round((ended - began) * 1000, 1)
        if not writes_json():
            log.info("request", method=method, path=path, status=status, milliseconds=milliseconds)
            return
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._flush)
        self._lines.append(
            f'{_request(method, path, status)}, "milliseconds": {milliseconds}, "event": "request", "level": "info", '
            f'"timestamp": "{self._timestamp()}", "process": "gateway"}}\n'
        )

    def _timestamp(self) -> str:
        """Answers the time with microseconds; what stands before these is written once a second."""
        second, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        if second != self._second:
            self._second, self._second_text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._second_text}.{nanoseconds // 1000:06d}Z"

    def _flush(self) -> None:
        lines, self._lines = self._lines, []
        sys.stderr.write("".join(lines))
        sys.stderr.flush()


class AccessLog:
    """ASGI middleware; a request whose handling breaks off counts as a 500."""

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began, answered = 500, time.perf_counter(), 0.0

        async def noting(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], time.perf_counter()
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._log.answered(
                _route(scope), scope["method"], scope["path"], status, began, answered or time.perf_counter()
            )


@lru_cache(maxsize=256)
def _request(method: str, path: str, status: int) -> str:
    return f'{{"method": {quoted(method)}, "path": {quoted(path)}, "status": {status}'


def _route(scope: Scope) -> str:
    """Answers the route's template, and one name for all addresses that are not served."""
    return getattr(scope.get("route"), "path", "other")
