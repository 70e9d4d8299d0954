"""One of our own processes: how it is started, how it says that it is ready, how it is stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from cli.launcher import child_process
from cli.launcher.refusal import CannotStart

READY_SECONDS = 60
PYTHON_MODULE = (sys.executable, "-P", "-m")  # -P: a folder named `server` in the current one is not ours
REFUSED = 2  # the exit code of a process that says in one sentence why it cannot start


class Program:
    """A long-running `python -m MODULE`; started again, it listens where it listened before."""

    stop_signal = signal.SIGTERM

    def __init__(
        self,
        name: str,
        *,
        env: Mapping[str, str],
        log: Path,
        ready_file: Path,
        listen: Mapping[str, str] | None = None,
        stop_seconds: float,
        module: str = "",
    ) -> None:
        self.name = name
        self.process: child_process.Process | None = None
        self.address = ""
        self.addresses: dict[str, str] = {}
        """Where it listens, by the names it gives these places in its ready file; `address` is the first of them."""
        self._env = {**env, "ONCALL_READY_FILE": str(ready_file)}
        self._log = log
        self._log_begins = 0
        self._ready_file = ready_file
        self._listen = listen or {}  # the environment variables that say where, with the names in the ready file
        self._stop_seconds = stop_seconds
        self._command = [*PYTHON_MODULE, module or name]

    def start(self) -> None:
        """Starts it and waits until it is ready; raises CannotStart with a sentence for people."""
        self.spawn()
        self.wait_until_ready()

    def spawn(self) -> None:
        """Starts it, so that others can be started while it becomes ready."""
        self._ready_file.unlink(missing_ok=True)
        for variable, name in self._listen.items():
            if name in self.addresses:
                self._env[variable] = self.addresses[name]
        self._log_begins = self._log.stat().st_size if self._log.exists() else 0
        # All that lasts is in PostgreSQL, so the hardest end is a right one; and it cannot be put off.
        self.process = child_process.start(self._command, env=self._env, log=self._log, death_signal=signal.SIGKILL)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self._ready_file.exists():
            code = self.process.poll() if self.process else None
            if code is not None:
                raise CannotStart(_why_ended(self.name, code, self._log, self._log_begins))
            if time.monotonic() > deadline:
                raise CannotStart(f"{self.name} is not ready after {READY_SECONDS} seconds; see {self._log}")
            time.sleep(0.01)
        self.addresses = json.loads(self._ready_file.read_text())
        self.address = self.addresses.get("address", "")

    def stop(self) -> None:
        if self.process:
            child_process.stop(self.process, self.stop_signal, seconds=self._stop_seconds)


def run_once(name: str, module: str, *arguments: str, env: Mapping[str, str], log: Path) -> str:
    """Runs `python -m MODULE` to its end and answers what it printed; raises CannotStart where it failed."""
    log_begins = log.stat().st_size if log.exists() else 0
    with log.open("ab") as errors:
        done = subprocess.run(
            [*child_process.mortal(signal.SIGKILL), *PYTHON_MODULE, module, *arguments],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            check=False,
        )
    if done.returncode != 0:
        raise CannotStart(_why_ended(name, done.returncode, log, log_begins))
    return done.stdout.decode()


def _why_ended(name: str, code: int, log: Path, log_begins: int) -> str:
    """Answers the process's own sentence where it refused to start, else where to look."""
    with log.open("rb") as file:
        file.seek(log_begins)
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    if code == REFUSED:
        sentences = [line for line in lines if not line.startswith("{")]
        if sentences:
            return f"{name}: {sentences[-1]}"
    return f"{name} ended with exit code {code} while it was starting; see {log}"
