"""Starts services in order, starts crashed ones again, and stops all of them in the opposite order.

It has one thread: the kernel ends our children when the thread that started them goes (see `child_process`).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn, Protocol

from cli.launcher.child_process import Process
from cli.launcher.refusal import CannotStart

POLL_SECONDS = 0.1
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
HEALTHY_SECONDS = 60.0
"""Who has run for so long is started again at once; who has not, after twice the delay of the last time."""


class Service(Protocol):
    """What the supervisor needs to know of a process."""

    name: str
    process: Process | None

    def start(self) -> None:
        """Starts it and waits until it is ready; CannotStart with a sentence where it does not become so."""

    def stop(self) -> None:
        """Ends it within a bounded time, whatever it does."""


class StopRequested(BaseException):
    """Somebody asked the launcher to end: Ctrl-C, SIGTERM, or a closed terminal."""


class Supervisor:
    """Holds the services in the order of their start."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._services: list[Service] = []
        self._say = say
        self._delays: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._started: dict[str, float] = {}

    def start(self, service: Service) -> None:
        """Starts a service for the first time: that it cannot is the caller's to tell."""
        self.add(service)
        service.start()

    def add(self, service: Service) -> None:
        """Takes charge of a service that its caller starts, already before it is: it is stopped in any case."""
        self._services.append(service)
        self._started[service.name] = time.monotonic()

    def watch(self, meanwhile: Callable[[], None] = lambda: None) -> NoReturn:
        """Starts again what crashes, until StopRequested; calls `meanwhile` between its looks."""
        while True:
            meanwhile()
            for service in self._services:
                if service.process is None or service.process.poll() is not None:
                    self._revive(service)
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stops all services, the last one first; a second Ctrl-C does not interrupt it."""
        ignore_signals()
        for service in reversed(self._services):
            service.stop()

    def _revive(self, service: Service) -> None:
        now = time.monotonic()
        due = self._due.get(service.name)
        if due is None:
            self._due[service.name] = now + self._next_delay(service.name, now)
            code = service.process.returncode if service.process else None
            self._say(f"{service.name} ended unexpectedly (exit code {code}); starting it again")
        elif now >= due:
            del self._due[service.name]
            self._started[service.name] = now
            try:
                service.start()
            except CannotStart as error:
                service.stop()
                self._say(f"{service.name} could not be started again: {error}")
            else:
                self._say(f"{service.name} runs again")

    def _next_delay(self, name: str, now: float) -> float:
        healthy = now - self._started.get(name, now) > HEALTHY_SECONDS
        previous = 0.0 if healthy else self._delays.get(name, 0.0)
        self._delays[name] = min(max(previous * 2, FIRST_DELAY_SECONDS), LONGEST_DELAY_SECONDS)
        return self._delays[name]


_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def raise_on_signals() -> None:
    """Makes every request to end a StopRequested in the main thread, wherever it waits."""

    def request(number: int, frame: FrameType | None) -> None:
        raise StopRequested

    for number in _ENDING:
        signal.signal(number, request)


def ignore_signals() -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
