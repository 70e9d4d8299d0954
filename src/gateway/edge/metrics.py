"""What Prometheus is told: requests by route and status, their time, how the keep is; no name of a page or partner."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

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
        self._labelled: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._stale = Counter("oncall_gateway_stale_answers", "Pages shown with their age.", registry=self._registry)
        self._kept = Gauge("oncall_gateway_kept_pages", "Pages kept, per audience.", registry=self._registry)
        self._watching = Gauge("oncall_gateway_watching", "1 while changes are heard of.", registry=self._registry)
        self._streams = Gauge("oncall_gateway_event_streams", "Open event streams.", registry=self._registry)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        method = method if method in _METHODS else "other"
        counted, timed = self._of(route, method, status)
        counted.inc()
        timed.observe(seconds)

    def _of(self, route: str, method: str, status: int) -> tuple[Counter, Histogram]:
        """Answers what is kept under these labels; finding it in the library costs more than counting."""
        found = self._labelled.get((route, method, status))
        if found is None:
            found = (self._requests.labels(route, method, str(status)), self._seconds.labels(route))
            self._labelled[route, method, status] = found
        return found

    def shown(self, shown: Shown) -> None:
        if shown.stale_since is not None:
            self._stale.inc()

    def exposed(self, keep: KeepState, streams: int) -> bytes:
        """Answers the text that Prometheus reads."""
        self._kept.set(keep.pages)
        self._watching.set(keep.watching)
        self._streams.set(streams)
        return generate_latest(self._registry)
