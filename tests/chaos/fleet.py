"""The processes of one installation, as they run in production, for somebody who kills them and starts them again.

Use it from the main thread: the kernel ends a child when the thread that started it is gone.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cli.launcher import child_process
from cli.launcher.embedded_postgres import EmbeddedPostgres
from cli.launcher.embedded_redis import EmbeddedRedis
from cli.launcher.program import REFUSED, Program, run_once
from cli.launcher.service_account import service_account
from cli.launcher.settings import base_environment
from executor.identity import started
from tests.builders import MASTER_KEY
from tests.chaos.plan import EXECUTORS
from tests.installed import a_folder_for_services, a_port

OUTPUT_CAP = 200 * 1024
"""Below what some scripts write, so that logs which the cap cut are among those that are checked."""
AGAIN_SECONDS = 0.5
"""How soon a process is started again that could not start, because what it needs was away."""
STOP_SECONDS = 15.0


class Member(Protocol):
    """What a fleet needs to know of a process; those of `cli.launcher` are such."""

    process: child_process.Process | None

    def start(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Life:
    """One process that was an executor: its number may come again, with its start it does not."""

    pid: int
    started: str


class Fleet:
    """PostgreSQL, Redis, server, jobs and two executors."""

    def __init__(self, folder: Path, sockets: Path, lease_seconds: float) -> None:
        self.folder = folder
        self.scratch = folder / "scratch"
        self.scratch.mkdir(mode=0o777)
        account = service_account()
        self._postgres = EmbeddedPostgres(folder / "postgresql", sockets, log=self.log("postgresql"), account=account)
        self._redis = EmbeddedRedis(sockets, log=self.log("redis"))
        self._members: dict[str, Member] = {"postgresql": self._postgres, "redis": self._redis}
        self._lease_seconds = lease_seconds
        self._due: dict[str, float] = {}
        self.executors: list[Life] = []
        self.kills: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        """Starts that ended with the sentence that something needed is away."""
        self.broken: list[str] = []
        """Ends that nobody brought about."""

    @property
    def database_url(self) -> str:
        return self._postgres.url

    @property
    def address(self) -> str:
        server = self._members["server"]
        assert isinstance(server, Program)
        return server.address

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def start(self) -> None:
        """Starts everything and waits until it is ready."""
        self._postgres.start()
        self._redis.start()
        environment = {
            **base_environment(),
            "TMPDIR": str(self.scratch),
            "ONCALL_DATABASE_URL": self._postgres.url,
            "ONCALL_REDIS_URL": self._redis.url,
            "ONCALL_MASTER_KEY": MASTER_KEY,
            "ONCALL_SERVER_LISTEN": f"127.0.0.1:{a_port()}",
            "ONCALL_LEASE_SECONDS": str(self._lease_seconds),
            "ONCALL_OUTPUT_CAP": str(OUTPUT_CAP),
            "ONCALL_DRAIN_SECONDS": "5",
            "ONCALL_KILL_GRACE_SECONDS": "0.5",
        }
        run_once("migrate", "server.migrate", env=environment, log=self.log("migrate"))
        modules = {"server": "server", "jobs": "server.jobs", **dict.fromkeys(EXECUTORS, "executor")}
        programs = {name: self._program(name, module, environment) for name, module in modules.items()}
        for name in programs:
            self.revive(name)
        for program in programs.values():
            program.wait_until_ready()

    def _program(self, name: str, module: str, environment: dict[str, str]) -> Program:
        ready = self.folder / f"{name}.json"
        program = Program(
            name, module=module, env=environment, log=self.log(name), ready_file=ready, stop_seconds=STOP_SECONDS
        )
        self._members[name] = program
        return program

    def revive(self, name: str) -> None:
        """Starts a process; the programs become ready meanwhile, or end because what they need is away."""
        member = self._members[name]
        if not isinstance(member, Program):
            member.start()
            return
        member.spawn()
        if name in EXECUTORS:
            assert member.process is not None
            self.executors.append(Life(member.process.pid, started(member.process.pid)))

    def runs(self, name: str) -> bool:
        process = self._members[name].process
        return process is not None and process.poll() is None

    def kill(self, name: str, *, pause: float) -> None:
        """Ends a process by kill -9; `tend` starts it again after so many seconds."""
        process = self._members[name].process
        assert process is not None
        process.kill()
        process.wait()
        self.kills[name] += 1
        self._due[name] = time.monotonic() + pause

    def freeze(self, name: str) -> int:
        """Stops a process in its tracks, and answers its number."""
        process = self._members[name].process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        return process.pid

    def thaw(self, name: str, pid: int) -> None:
        """Lets a frozen process go on, if it is still that one."""
        process = self._members[name].process
        if process is not None and process.pid == pid and process.poll() is None:
            process.send_signal(signal.SIGCONT)

    def tend(self) -> None:
        """Starts again what is due, and notes what ended without having been killed."""
        now = time.monotonic()
        for name, due in list(self._due.items()):
            if now >= due:
                del self._due[name]
                self.revive(name)
        for name, member in self._members.items():
            process = member.process
            if process is not None and process.poll() is not None and name not in self._due:
                if process.returncode == REFUSED:
                    self.refused[name] += 1
                else:
                    self.broken.append(f"{name} ended by itself with exit code {process.returncode}")
                self._due[name] = now + AGAIN_SECONDS

    def all_run(self) -> bool:
        return not self._due and all(self.runs(name) for name in self._members)

    def stop_programs(self) -> Iterator[str]:
        """Stops all but the stores by SIGTERM, executors first; yields what does not end as it should."""
        yield from self._stop(*EXECUTORS)
        # One executor more, because at its start it sweeps what killed ones have left; the others end meanwhile.
        sweeping = self._members[EXECUTORS[0]]
        assert isinstance(sweeping, Program)
        self.revive(EXECUTORS[0])
        yield from self._stop("jobs", "server")
        sweeping.wait_until_ready()
        yield from self._stop(EXECUTORS[0])

    def _stop(self, *names: str) -> Iterator[str]:
        with ThreadPoolExecutor(len(names)) as at_once:
            list(at_once.map(lambda name: self._members[name].stop(), names))
        for name in names:
            process = self._members[name].process
            assert process is not None
            if process.returncode != 0:
                yield f"{name} ended with exit code {process.returncode} when it was asked to stop"

    def close(self) -> None:
        for member in reversed(self._members.values()):
            member.stop()


@contextmanager
def a_fleet(lease_seconds: float, keep_logs: Path | None = None) -> Iterator[Fleet]:
    """Yields a fleet that has been started, with a durable PostgreSQL, in a folder of its own; nothing outlives it.

    `keep_logs` is where to put the logs of all processes at the end.
    """
    with a_folder_for_services("oncall-chaos-", keep_logs) as (folder, sockets):
        fleet = Fleet(folder, sockets, lease_seconds)
        try:
            fleet.start()
            yield fleet
        finally:
            fleet.close()
