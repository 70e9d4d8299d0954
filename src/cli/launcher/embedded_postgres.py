"""A PostgreSQL of our own, from a wheel, on a Unix socket, for installations that name none.

As root it runs as the user `oncall`, standing in its data folder and naming it /proc/self/cwd: so it needs no right to
any parent of that folder, and the data may lie anywhere.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cli.launcher import child_process
from cli.launcher.postgres_binaries import postgres_binaries
from cli.launcher.refusal import CannotStart
from cli.launcher.service_account import ServiceAccount

MAKE_SECONDS = 300  # half a second on a usual machine, a minute and more on an emulated or overloaded one
START_SECONDS = 60  # recovery after a kill may have to read a gigabyte of log
_WHERE_I_STAND = "/proc/self/cwd"
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """One PostgreSQL cluster and the process that serves it.

    Whoever can enter the socket folder is its superuser, and nobody else can reach it: the folder is the password.
    """

    name = "postgresql"
    stop_signal = signal.SIGINT  # "fast": open transactions are rolled back, nothing is waited for

    def __init__(
        self, folder: Path, sockets: Path, *, log: Path, account: ServiceAccount | None, durable: bool = True
    ) -> None:
        self._folder = folder
        self._sockets = sockets
        self._log = log
        self._account = account
        self._durable = durable
        self._binaries = postgres_binaries(account)
        self.process: child_process.Process | None = None

    @property
    def url(self) -> str:
        return self.url_of("oncall")

    def url_of(self, database: str) -> str:
        return f"postgresql://oncall@/{database}?host={self._sockets}"

    def start(self) -> None:
        """Makes the cluster if there is none, starts it and waits until it takes connections.

        Raises CannotStart with a sentence for people. A predecessor that a killed launcher left is ended first.
        """
        if not self._folder.exists():
            self._make_cluster()
        self._end_predecessor()
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **(_DURABLE if self._durable else _FAST),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.process = child_process.start(
            [self._binaries / "postgres", "-D", self._data_argument, *options],
            env=_ENVIRONMENT,
            cwd=self._folder,
            account=self._account,
            log=self._log,
            death_signal=signal.SIGINT,
        )
        self._wait_until_ready(self.process)
        self._make_database()

    def stop(self, *, seconds: float = 3.5) -> None:
        """Stops it; a stop that takes too long becomes a kill, and the next start recovers from the log."""
        if self.process:
            child_process.stop(self.process, self.stop_signal, seconds=seconds)

    @property
    def _data_argument(self) -> str:
        return _WHERE_I_STAND if self._account else str(self._folder)

    def _make_cluster(self) -> None:
        unfinished = self._folder.with_name(self._folder.name + ".new")  # what a killed initdb leaves is not a cluster
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(mode=0o700)
        if self._account:
            self._account.owns(unfinished)
        command: list[str | Path] = [self._binaries / "initdb", "-D", _WHERE_I_STAND if self._account else unfinished]
        command += ["--username=oncall", "--auth=trust", "--encoding=UTF8", "--no-instructions"]
        command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += [] if self._durable else ["--no-sync"]
        process = child_process.start(
            command,
            env=_ENVIRONMENT,
            cwd=unfinished,
            account=self._account,
            log=self._log,
            death_signal=signal.SIGKILL,
        )
        try:
            code = process.wait(MAKE_SECONDS)
        except subprocess.TimeoutExpired:
            raise self._failure(f"cannot create the PostgreSQL cluster within {MAKE_SECONDS} seconds") from None
        finally:
            child_process.stop(process, signal.SIGTERM, seconds=1)
        if code != 0:
            raise self._failure("cannot create the PostgreSQL cluster")
        unfinished.rename(self._folder)

    def _end_predecessor(self) -> None:
        """Ends a server that still holds the cluster, and removes what stops a start after a kill -9.

        PostgreSQL refuses a lock file whose process id belongs to any process of the same user. But that file is also
        how it sees that children of a killed server still write to the cluster, so they are ended before it goes.
        """
        lock = self._folder / "postmaster.pid"
        with suppress(FileNotFoundError, ValueError, IndexError):
            pid = int(lock.read_text().splitlines()[0])
            for send in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                if not self._serves(pid):
                    break
                os.kill(pid, send)
                _wait_while(lambda: self._serves(pid), seconds=5)
        _wait_while(self._kill_orphans, seconds=5)
        if self._kill_orphans():
            raise self._failure("cannot start PostgreSQL: processes of the one before it do not end")
        lock.unlink(missing_ok=True)

    def _kill_orphans(self) -> bool:
        """Kills what still serves this cluster; whether there was anything."""
        orphans = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        orphans = [pid for pid in orphans if self._serves(pid)]
        for pid in orphans:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(orphans)

    def _serves(self, pid: int) -> bool:
        """Whether that process is a PostgreSQL that stands in this very folder."""
        with suppress(OSError):
            executable = Path(f"/proc/{pid}/exe").readlink().name
            return executable == "postgres" and Path(f"/proc/{pid}/cwd").samefile(self._folder)
        return False

    def _wait_until_ready(self, process: child_process.Process) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise self._failure("cannot start PostgreSQL")
            time.sleep(0.01)

    def _ready(self) -> bool:
        with suppress(OSError, IndexError):  # line 8 of the lock file is the server's own word on its state
            return (self._folder / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
        return False

    def _make_database(self) -> None:
        command = [
            str(self._binaries / "createdb"),
            "-h",
            str(self._sockets),
            "-U",
            "oncall",
            "-T",
            "template0",
            "oncall",
        ]
        done = subprocess.run(command, env=_ENVIRONMENT, capture_output=True, text=True, check=False)
        if done.returncode != 0 and "already exists" not in done.stderr:
            raise self._failure(f"cannot create the database: {done.stderr.strip()}")

    def _failure(self, what: str) -> CannotStart:
        return CannotStart(f"{what}: {child_process.last_lines(self._log)} (see {self._log})")


def _wait_while(condition: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while condition() and time.monotonic() < deadline:
        time.sleep(0.02)
