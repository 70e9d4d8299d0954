"""What Prometheus is told: requests by route and status, their time, how the keep is; no name of a page or partner."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from gateway.edge.keeper import KeepState
from gateway.shown import Shown

_METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"})
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_BOUNDS = (*map(floatToGoString, _SECONDS), "+Inf")


@dataclass(slots=True)
class _Times:
    """How many answers of a route began within each of `_BOUNDS` and above the one before, and their seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * len(_BOUNDS))
    seconds: float = 0.0


class _Requests(Collector):
    """Requests and their times, counted in one thread, so without the library's locks at each request."""

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self._times: defaultdict[str, _Times] = defaultdict(_Times)

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        self._counts[route, method, status] += 1
        times = self._times[route]
        times.counts[bisect_left(_SECONDS, seconds)] += 1
        times.seconds += seconds

    def collect(self) -> Iterator[Metric]:
        """Yields what has been counted until now."""
        requests = CounterMetricFamily(
            "oncall_gateway_requests", "Requests answered.", labels=["route", "method", "status"]
        )
        for (route, method, status), count in self._counts.items():
            requests.add_metric([route, method, str(status)], count)
        yield requests
        began = HistogramMetricFamily("oncall_gateway_request_seconds", "Time until an answer began.", labels=["route"])
        for route, times in self._times.items():
            began.add_metric([route], [*zip(_BOUNDS, accumulate(times.counts), strict=True)], times.seconds)
        yield began


class Metrics:
    """The numbers of one application, in a registry of its own."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = _Requests()
        self._registry.register(self._requests)
        self._stale = Counter("oncall_gateway_stale_answers", "Pages shown with their age.", registry=self._registry)
        self._kept = Gauge("oncall_gateway_kept_pages", "Pages kept, per audience.", registry=self._registry)
        self._watching = Gauge("oncall_gateway_watching", "1 while changes are heard of.", registry=self._registry)
        self._streams = Gauge("oncall_gateway_event_streams", "Open event streams.", registry=self._registry)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        self._requests.count(route, method if method in _METHODS else "other", status, seconds)

    def shown(self, shown: Shown) -> None:
        if shown.stale_since is not None:
            self._stale.inc()

    def exposed(self, keep: KeepState, streams: int) -> bytes:
        """Answers the text that Prometheus reads."""
        self._kept.set(keep.pages)
        self._watching.set(keep.watching)
        self._streams.set(streams)
        return generate_latest(self._registry)
