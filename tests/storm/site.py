"""The processes of one site, as they run in production: PostgreSQL, Redis, two servers, and a gateway before each.

Use it from the main thread: the kernel ends a child when the thread that started it is gone. What starts does so while
the load goes on, so nothing here that is awaited blocks the loop.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cli.launcher.child_process import Process
from cli.launcher.embedded_postgres import EmbeddedPostgres
from cli.launcher.embedded_redis import EmbeddedRedis
from cli.launcher.program import Program, run_once
from cli.launcher.service_account import service_account
from cli.launcher.settings import base_environment
from tests.builders import MASTER_KEY
from tests.chaos.fleet import Member
from tests.installed import a_folder_for_services, a_port
from tests.waiting import eventually

SERVERS = ("server-1", "server-2")
GATEWAYS = ("gateway-1", "gateway-2")
BEHIND = dict(zip(GATEWAYS, SERVERS, strict=True))
"""Which server a gateway asks."""
READY_SECONDS = 60.0
STOP_SECONDS = 15.0


class Site:
    """Two of each, over one database; each listens where it listened before when it is started again."""

    def __init__(self, folder: Path, sockets: Path, lease_seconds: float, *, durable: bool) -> None:
        self.folder = folder
        account = service_account()
        self._postgres = EmbeddedPostgres(
            folder / "postgresql", sockets, log=self.log("postgresql"), account=account, durable=durable
        )
        self._redis = EmbeddedRedis(sockets, log=self.log("redis"))
        self._members: dict[str, Member] = {"postgresql": self._postgres, "redis": self._redis}
        self._lease_seconds = lease_seconds
        self._environment: dict[str, str] = {}

    @property
    def database_url(self) -> str:
        return self._postgres.url

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def address(self, name: str) -> tuple[str, int]:
        host, _, port = self._program(name).address.rpartition(":")
        return host, int(port)

    def start_servers(self) -> None:
        """Starts the stores and the servers, and waits until they are ready."""
        self._postgres.start()
        self._redis.start()
        self._environment = {
            **base_environment(),
            "ONCALL_DATABASE_URL": self._postgres.url,
            "ONCALL_REDIS_URL": self._redis.url,
            "ONCALL_MASTER_KEY": MASTER_KEY,
            "ONCALL_WATCH_LEASE_SECONDS": str(self._lease_seconds),
            "ONCALL_BAD_CREDENTIALS_PER_MINUTE": "1000000",  # a page's token that has ended is one of these
        }
        run_once("migrate", "server.migrate", env=self._environment, log=self.log("migrate"))
        self._start_programs(SERVERS, {name: self._listening("ONCALL_SERVER_LISTEN") for name in SERVERS})

    def start_gateways(self, tokens: Sequence[str]) -> None:
        """Starts a gateway before each server, with a token and a folder of its own, and waits until they are ready."""
        environments = {}
        for name, token in zip(GATEWAYS, tokens, strict=True):
            file = self.folder / f"{name}.token"
            file.write_text(token)
            environments[name] = self._listening("ONCALL_GATEWAY_LISTEN") | {
                "ONCALL_SERVER_ADDRESS": self._program(BEHIND[name]).address,
                "ONCALL_GATEWAY_TOKEN_FILE": str(file),
                "ONCALL_GATEWAY_CACHE_DIR": str(self.folder / f"{name}.pages"),
            }
        self._start_programs(GATEWAYS, environments)

    def process(self, name: str) -> Process:
        process = self._members[name].process
        assert process is not None
        return process

    def kill(self, name: str) -> None:
        """Ends a process by kill -9."""
        self.process(name).kill()
        self.process(name).wait()

    def freeze(self, name: str) -> None:
        self.process(name).send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        self.process(name).send_signal(signal.SIGCONT)

    async def stop(self, name: str) -> int:
        """Asks a process to stop, and answers its exit code."""
        process = self.process(name)
        process.terminate()

        async def gone() -> bool:
            return process.poll() is not None

        await eventually(gone, within=STOP_SECONDS)
        return process.returncode

    async def revive(self, name: str) -> None:
        """Starts a process again, and returns once it is ready."""
        if name == "redis":
            self._redis.start()  # some hundredths of a second
            return
        program = self._program(name)
        program.spawn()
        ready = self._ready_file(name)

        async def is_ready() -> bool:
            assert self.process(name).poll() is None, f"{name} does not start; see {self.log(name)}"
            return ready.exists()

        await eventually(is_ready, within=READY_SECONDS)

    def ended(self) -> list[str]:
        """Answers which processes do not run."""
        return [name for name, member in self._members.items() if member.process and member.process.poll() is not None]

    def close(self) -> None:
        for name, member in reversed(self._members.items()):
            if member.process and member.process.poll() is None:
                self.thaw(name)  # one that is frozen could not stop
            member.stop()

    def _listening(self, variable: str) -> dict[str, str]:
        return {variable: f"127.0.0.1:{a_port()}"}

    def _start_programs(self, names: Sequence[str], environments: dict[str, dict[str, str]]) -> None:
        programs = []
        for name in names:
            program = Program(
                name,
                module=name.partition("-")[0],
                env=self._environment | environments[name],
                log=self.log(name),
                ready_file=self._ready_file(name),
                stop_seconds=STOP_SECONDS,
            )
            self._members[name] = program
            programs.append(program)
            program.spawn()
        for program in programs:
            program.wait_until_ready()

    def _ready_file(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _program(self, name: str) -> Program:
        program = self._members[name]
        assert isinstance(program, Program)
        return program


@contextmanager
def a_site(lease_seconds: float, *, durable: bool, keep_logs: Path | None = None) -> Iterator[Site]:
    """Yields a site whose servers run; nothing outlives it."""
    with a_folder_for_services("oncall-storm-", keep_logs) as (folder, sockets):
        site = Site(folder, sockets, lease_seconds, durable=durable)
        try:
            site.start_servers()
            yield site
        finally:
            site.close()
