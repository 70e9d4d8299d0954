"""Which processes make one installation, in which order, and what each of them is told.

The only place that knows what a process may reach: the gateway gets the server's address and a token, and nothing of
the database, the queue or the key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from cli.launcher.data_folder import DataFolder, write_private
from cli.launcher.embedded_postgres import EmbeddedPostgres
from cli.launcher.embedded_redis import EmbeddedRedis
from cli.launcher.encryption_keys import fingerprint
from cli.launcher.local_tls import LocalTls
from cli.launcher.program import Program, run_once
from cli.launcher.refusal import CannotStart
from cli.launcher.service_account import service_account
from cli.launcher.settings import LauncherSettings, base_environment
from cli.launcher.socket_folder import open_socket_folder, remove_socket_folder
from cli.launcher.supervisor import Supervisor

# With one second for Redis and 3.5 for PostgreSQL they stay below the ten that a person waits after Ctrl-C.
_GATEWAY_STOP, _EXECUTOR_STOP, _JOBS_STOP, _SERVER_STOP = 1.0, 2.0, 0.7, 1.0
# A script that runs at Ctrl-C has a second to end, then half a second's grace, and is then told as lost, not just left.
_EXECUTOR_END = {"ONCALL_DRAIN_SECONDS": "0.8", "ONCALL_KILL_GRACE_SECONDS": "0.5"}
_SERVER_LISTENS = {"ONCALL_SERVER_LISTEN": "address", "ONCALL_SERVER_GATEWAY_LISTEN": "gateway_address"}
_GATEWAY_LISTENS = {"ONCALL_GATEWAY_LISTEN": "address"}
_FOR_JOBS = frozenset({"ONCALL_SMTP_URL"})  # a password that nobody else needs
_SECRETS = ("ONCALL_DATABASE_URL", "ONCALL_REDIS_URL", "ONCALL_MASTER_KEY", "ONCALL_ENCRYPTION_KEYS")


class Stack:
    """The processes of one installation; `start` raises CannotStart, after which `stop` is still to be called."""

    def __init__(
        self,
        settings: LauncherSettings,
        data: DataFolder,
        *,
        step: Callable[[str], None],
        warn: Callable[[str], None],
        tls: LocalTls | None = None,
    ) -> None:
        self._settings = settings
        self._data = data
        self._step = step
        self._warn = warn
        self._tls = tls
        self._supervisor = Supervisor(warn)
        self._sockets: Path | None = None
        self.environment: dict[str, str] = {}
        """What a process with a database is told; secrets among it."""
        self.server_address = ""
        self.gateway_url = ""
        self.ca_file = ""
        """Whom a client has to trust, if certificates are spoken of at all."""

    def start(self) -> None:
        database_url, redis_url = self._start_stores()
        self.environment = {
            **base_environment(),
            "ONCALL_DATABASE_URL": database_url,
            "ONCALL_REDIS_URL": redis_url,
            "ONCALL_MASTER_KEY": self._master_key(),
        }
        run_once("migrate", "server.migrate", env=self.environment, log=self._data.log("migrate"))
        self._step("database is of the newest revision")
        self._start_programs()
        # Without the keys: one has a file of its own, and the others whoever gave them keeps.
        told = {name: self.environment[name] for name in ("ONCALL_DATABASE_URL", "ONCALL_REDIS_URL")}
        running = {"server": self.server_address, "environment": told, "keys": fingerprint(self.environment)}
        running["ca_file"] = self.ca_file
        self._data.write_json("environment.json", running)

    def watch(self) -> None:
        self._supervisor.watch(self._renew_certificates)

    def _renew_certificates(self) -> None:
        try:
            if self._tls:
                self._tls.renew_if_due()
        except CannotStart as problem:
            self._warn(str(problem))

    def stop(self) -> None:
        self._data.remove("environment.json")
        self._supervisor.stop()
        if self._sockets:
            remove_socket_folder(self._sockets)

    def bootstrap(self, *arguments: str) -> dict[str, str]:
        """Creates an account that nobody could create over gRPC, and answers its `user_id` and a new `token`."""
        return bootstrap(self._data, self.environment, *arguments)

    def _start_stores(self) -> tuple[str, str]:
        given_database, given_redis = self._settings.database_url, self._settings.redis_url
        account = None if given_database else service_account()
        if not (given_database and given_redis):
            self._sockets = open_socket_folder(self._data.path, account)
        if given_database:
            database_url = given_database.get_secret_value()
            self._step(f"using PostgreSQL at {_where(database_url)}")
        else:
            folder, log = self._data.path / "postgresql", self._data.log("postgresql")
            postgres = EmbeddedPostgres(folder, self._socket_folder, log=log, account=account)
            self._supervisor.start(postgres)
            database_url = postgres.url
            self._step("PostgreSQL runs")
        if given_redis:
            self._step(f"using Redis at {_where(given_redis.get_secret_value())}")
            return database_url, given_redis.get_secret_value()
        redis = EmbeddedRedis(self._socket_folder, log=self._data.log("redis"))
        self._supervisor.start(redis)
        self._step("Redis runs")
        return database_url, redis.url

    @property
    def _socket_folder(self) -> Path:
        assert self._sockets is not None  # noqa: S101 - made whenever a service of our own is wanted
        return self._sockets

    def _start_programs(self) -> None:
        """Starts the four side by side: each is a Python that imports for a while, and none waits for another."""
        settings = self._settings
        self.ca_file = str(self._tls.ca_file) if self._tls else self.environment.get("ONCALL_GATEWAY_SERVER_CA", "")
        environment = {name: value for name, value in self.environment.items() if name not in _FOR_JOBS}
        server_env = {**environment, "ONCALL_SERVER_LISTEN": settings.server_listen}
        server_env |= self._tls.server if self._tls else {}
        server = self._program("server", server_env, _SERVER_STOP, listen=_SERVER_LISTENS)
        jobs = self._program("jobs", self.environment, _JOBS_STOP, module="server.jobs")
        executor_env = {**environment, **_EXECUTOR_END}
        executor = self._program("executor", executor_env, _EXECUTOR_STOP)
        token = write_private(self._data.path / "gateway.token", self.bootstrap("gateway")["token"] + "\n")
        server.wait_until_ready()
        self.server_address = reachable(server.address)
        self._step(f"server listens on {server.address}")
        gateway_env = {
            **{name: value for name, value in environment.items() if name not in _SECRETS},
            "ONCALL_GATEWAY_LISTEN": settings.gateway_listen,
            "ONCALL_SERVER_ADDRESS": server.addresses.get("gateway_address", self.server_address),
            "ONCALL_GATEWAY_TOKEN_FILE": str(token),
        }
        gateway_env |= self._tls.gateway if self._tls else {}
        gateway_env.setdefault("ONCALL_GATEWAY_CACHE_DIR", str(self._data.path / "gateway"))
        gateway = self._program("gateway", gateway_env, _GATEWAY_STOP, listen=_GATEWAY_LISTENS)
        jobs.wait_until_ready()
        self._step("jobs runs")
        executor.wait_until_ready()
        self._step("executor runs; scripts are isolated")
        gateway.wait_until_ready()
        scheme = "https" if "ONCALL_GATEWAY_TLS_CERTIFICATE" in gateway_env else "http"
        self.gateway_url = f"{scheme}://{reachable(gateway.address)}"
        self._step(f"gateway listens on {gateway.address}")

    def _program(
        self,
        name: str,
        env: Mapping[str, str],
        stop_seconds: float,
        *,
        listen: Mapping[str, str] | None = None,
        module: str = "",
    ) -> Program:
        program = Program(
            name,
            env=env,
            log=self._data.log(name),
            ready_file=self._data.ready / f"{name}.json",
            listen=listen,
            stop_seconds=stop_seconds,
            module=module,
        )
        self._supervisor.add(program)
        program.spawn()
        return program

    def _master_key(self) -> str:
        given = self._settings.master_key
        return given.get_secret_value() if given else self._data.master_key()


def bootstrap(data: DataFolder, environment: Mapping[str, str], *arguments: str) -> dict[str, str]:
    """Runs `server.bootstrap` and answers what it printed."""
    printed = run_once("bootstrap", "server.bootstrap", *arguments, env=environment, log=data.log("bootstrap"))
    answer: dict[str, str] = json.loads(printed)
    return answer


def reachable(listening: str) -> str:
    """Answers where a client on this machine finds what listens there: a wildcard is no address to call."""
    host, _, port = listening.rpartition(":")
    return {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}.get(host, host) + f":{port}"  # noqa: S104


def _where(url: str) -> str:
    """Answers the place that a URL names, without its credentials."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.hostname}{port}" if parts.hostname else parts.path or "a local socket"
