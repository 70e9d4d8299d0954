"""The supervisor: order, restarts, and what it says of them. The services are fakes, the processes real."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from cli.launcher import supervisor as supervisor_module
from cli.launcher.child_process import Process
from cli.launcher.refusal import CannotStart
from cli.launcher.supervisor import StopRequested, Supervisor


class Clock:
    """Time that passes only while the supervisor sleeps, and ends the test when it has passed for long enough."""

    def __init__(self, end: float) -> None:
        self.now = 1000.0
        self._end = self.now + end

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now > self._end:
            raise StopRequested


class Crashing:
    """A service whose process ends by itself as soon as it was started."""

    def __init__(self, name: str, events: list[str], start: Callable[[], None] = lambda: None) -> None:
        self.name = name
        self.process: Process | None = None
        self._events = events
        self._start = start

    def start(self) -> None:
        self._events.append(f"start {self.name}")
        self._start()
        self.process = subprocess.Popen(["false"])
        self.process.wait()

    def stop(self) -> None:
        self._events.append(f"stop {self.name}")


@pytest.fixture
def keep_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "ignore_signals", lambda: None)


@pytest.mark.usefixtures("keep_signals")
def test_services_stop_in_the_opposite_order_of_their_start() -> None:
    events: list[str] = []
    supervisor = Supervisor(lambda _: None)
    for name in ("server", "gateway"):
        supervisor.start(Crashing(name, events))
    supervisor.stop()
    assert events == ["start server", "start gateway", "stop gateway", "stop server"]


def test_a_service_that_keeps_crashing_is_started_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(end=20)
    monkeypatch.setattr(supervisor_module, "time", clock)
    events: list[str] = []
    said: list[str] = []
    supervisor = Supervisor(said.append)
    supervisor.start(Crashing("server", events))
    with pytest.raises(StopRequested):
        supervisor.watch()
    assert events.count("start server") == 1 + 5  # after 0.5, 1, 2, 4 and 8 s
    assert said[:2] == ["server ended unexpectedly (exit code 1); starting it again", "server runs again"]


def test_a_service_that_cannot_be_started_again_is_tried_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "time", Clock(end=2))
    attempts = iter([None, CannotStart("the port is taken"), None])

    def start() -> None:
        problem = next(attempts, None)
        if problem:
            raise problem

    events: list[str] = []
    said: list[str] = []
    supervisor = Supervisor(said.append)
    supervisor.start(Crashing("server", events, start))
    with pytest.raises(StopRequested):
        supervisor.watch()
    assert "server could not be started again: the port is taken" in said
    assert "server runs again" in said
