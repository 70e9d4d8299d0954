"""What every test may ask for: a real PostgreSQL and a real Redis, one of each per test process; an honest report."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter
from hypothesis import HealthCheck, settings
from redis import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from cli.launcher.embedded_postgres import EmbeddedPostgres
from cli.launcher.embedded_redis import EmbeddedRedis
from cli.launcher.service_account import ServiceAccount, service_account
from cli.launcher.socket_folder import open_socket_folder, remove_socket_folder
from kernel import migrations
from kernel.database import async_url

_TEMPLATE = "oncall_template"
_numbers = itertools.count(1)

# A machine may stand still in the middle of an example: how long one took says nothing about the code.
settings.register_profile("unhurried", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def account() -> ServiceAccount | None:
    """Who PostgreSQL runs as in this session; None where that is whoever runs the tests."""
    return service_account()


@pytest.fixture(scope="session")
def services_folder(account: ServiceAccount | None) -> Iterator[Path]:
    """A folder for the services of this test process, removed at its end."""
    folder = Path(tempfile.mkdtemp(prefix="oncall-test-"))
    if account:
        os.chown(folder, -1, account.gid)
        folder.chmod(0o710)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def sockets(services_folder: Path, account: ServiceAccount | None) -> Iterator[Path]:
    folder = open_socket_folder(services_folder, account)
    yield folder
    remove_socket_folder(folder)


@pytest.fixture(scope="session")
def postgres(services_folder: Path, sockets: Path, account: ServiceAccount | None) -> Iterator[EmbeddedPostgres]:
    """A cluster with a migrated template; nothing in it survives a power cut, and nothing has to."""
    log = services_folder / "postgresql.log"
    server = EmbeddedPostgres(services_folder / "postgresql", sockets, log=log, account=account, durable=False)
    try:
        server.start()
        _administer(server, f"CREATE DATABASE {_TEMPLATE} TEMPLATE template0")
        asyncio.run(_migrate(server.url_of(_TEMPLATE)))
        yield server
    finally:
        server.stop()


@pytest.fixture
def cluster(account: ServiceAccount | None, tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A durable cluster of this test, not started, in a folder that the user it runs as cannot reach by its path."""
    (tmp_path / "logs").mkdir()
    sockets = open_socket_folder(tmp_path, account)
    server = EmbeddedPostgres(tmp_path / "postgresql", sockets, log=tmp_path / "logs" / "log", account=account)
    yield server
    server.stop()
    remove_socket_folder(sockets)


@pytest.fixture
def own_postgres(cluster: EmbeddedPostgres) -> EmbeddedPostgres:
    """A PostgreSQL that this test may kill and start again, with a database of the newest revision."""
    cluster.start()
    asyncio.run(_migrate(cluster.url))
    return cluster


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis that this test may stop or kill, and start again."""
    redis = EmbeddedRedis(tmp_path, log=tmp_path / "redis.log")
    redis.start()
    yield redis
    redis.stop()


def killed(server: EmbeddedPostgres | EmbeddedRedis) -> None:
    """Ends a PostgreSQL or a Redis by kill -9."""
    assert server.process is not None
    server.process.kill()
    server.process.wait()


@contextmanager
def away(server: EmbeddedPostgres | EmbeddedRedis) -> Iterator[None]:
    """Kills a PostgreSQL or a Redis, and starts it again after the block."""
    killed(server)
    try:
        yield
    finally:
        server.start()


@contextmanager
def frozen(server: EmbeddedPostgres) -> Iterator[None]:
    """Stops a PostgreSQL in its tracks for as long as the block lasts: it takes connections, and answers nothing."""
    assert server.process is not None
    stopped = [server.process.pid]
    os.kill(stopped[0], signal.SIGSTOP)  # first, so that it begins no more backends
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            number, parent = int(path.parent.name), int(path.read_text().rpartition(")")[2].split()[1])
            if parent == server.process.pid:
                os.kill(number, signal.SIGSTOP)
                stopped.append(number)
    try:
        yield
    finally:
        for number in stopped:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGCONT)


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database of the newest revision that this test has for itself."""
    with empty_database(postgres) as url:
        yield url


@contextmanager
def empty_database(server: EmbeddedPostgres, *, template: str = _TEMPLATE) -> Iterator[str]:
    """Yields the URL of a new database of the newest revision; a copy of the template takes some 20 ms."""
    name = f"oncall_test_{next(_numbers)}"
    _administer(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    yield server.url_of(name)
    _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def redis_server(services_folder: Path, sockets: Path) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(sockets, log=services_folder / "redis.log")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """An empty Redis; the tests of this process share it one after the other."""
    return empty_redis(redis_server)


def empty_redis(server: EmbeddedRedis) -> str:
    """Empties the Redis of this test process and answers its URL."""
    with Redis.from_url(server.url) as client:
        client.flushall()
    return server.url


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turns a skip that gives no reason into a failure: nobody would notice what is not tested."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = _skip_reason(report)
        if reason in {"", "unconditional skip"}:
            report.outcome = "failed"
            report.longrepr = f"{report.nodeid} was skipped without a reason; say what is missing on this host"
    return report


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Says last, and loudly, what was not tested."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if not hasattr(report, "wasxfail")]
    if not skipped:
        return
    terminalreporter.section(f"NOT TESTED ON THIS HOST: {len(skipped)}", sep="!", red=True, bold=True)
    for report in skipped:
        terminalreporter.write_line(f"{report.nodeid}: {_skip_reason(report)}", red=True)


def _skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    text_of = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text_of.removeprefix("Skipped").removeprefix(":").strip()


async def _migrate(url: str) -> None:
    engine = create_async_engine(async_url(url), poolclass=NullPool)
    await migrations.upgrade(engine)
    await engine.dispose()


def _administer(server: EmbeddedPostgres, statement: str) -> None:
    """Runs one statement outside of transactions, in a loop of its own: tests bring theirs."""

    async def run() -> None:
        engine = create_async_engine(async_url(server.url), poolclass=NullPool, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.execute(text(statement))
        await engine.dispose()

    asyncio.run(run())
