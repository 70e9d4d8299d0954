"""What Prometheus is told: requests by route and status, their time, how the keep is; no name of a page or partner."""

from __future__ import annotations

import time

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.edge.keeper import KeepState
from gateway.shown import Shown

_METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"})
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The numbers of one application, in a registry of its own."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "oncall_gateway_requests", "Requests answered.", ["route", "method", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "oncall_gateway_request_seconds",
            "Time until an answer began.",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._stale = Counter("oncall_gateway_stale_answers", "Pages shown with their age.", registry=self._registry)
        self._kept = Gauge("oncall_gateway_kept_pages", "Pages kept, per audience.", registry=self._registry)
        self._watching = Gauge("oncall_gateway_watching", "1 while changes are heard of.", registry=self._registry)
        self._streams = Gauge("oncall_gateway_event_streams", "Open event streams.", registry=self._registry)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        self._requests.labels(route, method if method in _METHODS else "other", str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def shown(self, shown: Shown) -> None:
        if shown.stale_since is not None:
            self._stale.inc()

    def exposed(self, keep: KeepState, streams: int) -> bytes:
        """Answers the text that Prometheus reads."""
        self._kept.set(keep.pages)
        self._watching.set(keep.watching)
        self._streams.set(streams)
        return generate_latest(self._registry)


class RequestMetrics:
    """ASGI middleware; a request whose handling breaks off counts as a 500."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began, ended = 500, time.perf_counter(), None

        async def noting(message: Message) -> None:
            nonlocal status, ended
            if message["type"] == "http.response.start":
                status, ended = message["status"], time.perf_counter()
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            seconds = (ended or time.perf_counter()) - began
            self._metrics.answered(_route(scope), scope["method"], status, seconds)


def _route(scope: Scope) -> str:
    """Answers the route's template, and one name for all addresses that are not served."""
    return getattr(scope.get("route"), "path", "other")
