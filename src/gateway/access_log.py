"""One log line a request: method, path, status, time. Never a query string or a header: tokens travel in both.

It is the one line that is written at the rate of requests, so it does without structlog's pipeline where it is JSON,
and the lines of all requests that were answered in one turn of the loop are written together.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as quoted

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.edge.metrics import Metrics
from kernel.telemetry import writes_json

log = structlog.get_logger()


class AccessLog:
    """ASGI middleware that also counts for Prometheus; a request whose handling breaks off counts as a 500."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._lines: list[str] = []

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
            ended = time.perf_counter()
            self._metrics.answered(_route(scope), scope["method"], status, (answered or ended) - began)
            self._write(scope["method"], scope["path"], status, round((ended - began) * 1000, 1))

    def _write(self, method: str, path: str, status: int, milliseconds: float) -> None:
        if not writes_json():
            log.info("request", method=method, path=path, status=status, milliseconds=milliseconds)
            return
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._flush)
        self._lines.append(
            f'{{"method": {quoted(method)}, "path": {quoted(path)}, "status": {status}, '
            f'"milliseconds": {milliseconds}, "event": "request", "level": "info", '
            f'"timestamp": "{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", '
            '"process": "gateway"}\n'
        )

    def _flush(self) -> None:
        lines, self._lines = self._lines, []
        sys.stderr.write("".join(lines))
        sys.stderr.flush()


def _route(scope: Scope) -> str:
    """Answers the route's template, and one name for all addresses that are not served."""
    return getattr(scope.get("route"), "path", "other")
