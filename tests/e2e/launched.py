"""`oncall up` as a person starts it: a process, what it prints and when, and everything it started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psutil

ONCALL = Path(sys.executable).parent / "oncall"
START_SECONDS = 180

T = TypeVar("T")


class Launched:
    """A running `oncall up`; its lines are read as they come, each with the time of its reading."""

    def __init__(self, data: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.lines: list[tuple[float, str]] = []
        self._process = subprocess.Popen(
            [ONCALL, "up", *arguments],
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("ONCALL_")},
                "ONCALL_DATA_DIR": str(data),
                "ONCALL_SERVER_LISTEN": "127.0.0.1:0",
                "ONCALL_GATEWAY_LISTEN": "127.0.0.1:0",
                **(env or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def output(self) -> str:
        return "\n".join(line for _, line in self.lines)

    def wait_until_it_serves(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while "Serving" not in self.output:
            assert self._process.poll() is None, f"it ended: {self.output} {self.wait()}"
            assert time.monotonic() < deadline, f"it does not become ready: {self.output}"
            time.sleep(0.02)

    def demo(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.data / "demo.json").read_text())
        return content

    def processes(self) -> list[psutil.Process]:
        """Answers everything that it started, and what that started."""
        return psutil.Process(self._process.pid).children(recursive=True)

    def program(self, module: str) -> psutil.Process:
        """Answers the process that runs `python -m MODULE`."""
        return next(p for p in self.processes() if _told(p.cmdline)[-2:] == ["-m", module])

    def sockets(self) -> list[Path]:
        """Answers the paths of all Unix sockets that its processes listen on."""
        found = {
            Path(str(connection.laddr))
            for process in self.processes()
            for connection in _told(partial(process.net_connections, kind="unix"))
            if isinstance(connection.laddr, str) and connection.laddr.startswith("/")
        }
        return sorted(
            path for path in found if (path.exists() and "oncall" in str(path)) or path.is_relative_to(self.data)
        )

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        self._process.kill()

    def wait(self, seconds: float = 30) -> tuple[int, str]:
        """Answers its exit code and what it said on stderr."""
        try:
            code = self._process.wait(seconds)
        finally:
            if self._process.poll() is None:
                self._process.kill()
            self._reader.join()
            assert self._process.stderr is not None
            with self._process.stderr:
                errors = self._process.stderr.read()
        return code, errors

    def close(self) -> None:
        """Ends it, if a test has not done so."""
        if self._process.poll() is None:
            self.interrupt()
            self.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout:
            for line in self._process.stdout:
                self.lines.append((time.monotonic(), line.rstrip("\n")))


def _told(ask: Callable[[], list[T]]) -> list[T]:
    """Answers what a process tells of itself; nothing where it has ended since it was listed, as short ones do."""
    try:
        return ask()
    except psutil.NoSuchProcess:
        return []
