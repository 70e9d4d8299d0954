"""Each example runbook through the whole platform: applied, approved by somebody else, run in a sandbox."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from kernel.database import async_url
from tests.builders import TeamWithPeople
from tests.executors import an_executor, settings_of
from tests.rpc.conftest import RunningServer, stream_refusal_of
from tests.rpc.local_servers import Asked, a_dns_server, a_port_for, a_tls_server, an_http_server
from tests.rpc.on_call import Ran, Team

LIBRARY = Path(__file__).parents[2] / "examples/runbooks"
TOKEN = "the-hook-believes-in-this"
PASSWORD = "a correct horse, pencil"


@pytest.fixture
async def on_call(
    running_server: RunningServer, team: TeamWithPeople, tmp_path: Path, database_url: str, redis_url: str
) -> AsyncIterator[Team]:
    async with an_executor(settings_of(database_url, redis_url)):
        yield Team(running_server, team, tmp_path)


def test_every_example_is_run_here_and_told_of_in_the_readme() -> None:
    names = {path.stem for path in LIBRARY.glob("*.yaml")}
    tested = {name for name in globals() if name.startswith("test_")}
    assert {f"test_{name.replace('-', '_')}" for name in names} <= tested
    readme = (LIBRARY / "README.md").read_text()
    assert names == {line.split("[")[1].split("]")[0] for line in readme.splitlines() if line.startswith("| [")}


async def test_disk_usage(on_call: Team) -> None:
    runbook = await on_call.adopts(LIBRARY / "disk-usage.yaml")
    fine = await on_call.runs(runbook, path="/usr/bin", warn_percent=100, largest=3)
    full = await on_call.runs(runbook, path="/usr", warn_percent=1)
    nowhere = await on_call.runs(runbook, path="/usr/nowhere")
    assert fine.code in {0, 1}, "a machine whose disk is full to the last byte is possible"
    assert "% used" in fine.out
    assert "largest below /usr/bin" in fine.out
    assert (full.code, full.err) == (1, "disk-usage: /usr is fuller than 1 %\n")
    assert nowhere == Ran(2, "", "disk-usage: /usr/nowhere does not exist here\n")


async def test_host_load(on_call: Team) -> None:
    runbook = await on_call.adopts(LIBRARY / "host-load.yaml")
    fine = await on_call.runs(runbook, warn_load_per_core=1000, warn_memory_percent=100)
    short = await on_call.runs(runbook, warn_load_per_core=1000, warn_memory_percent=0)
    assert (fine.code, fine.err) == (0, "")
    assert "memory:" in fine.out
    assert "load:" in fine.out
    assert (short.code, short.err) == (1, "host-load: 0 % of the memory or more is used\n")


async def test_tls_expiry(on_call: Team, tmp_path: Path, unused_tcp_port: int) -> None:
    runbook = await on_call.adopts(LIBRARY / "tls-expiry.yaml")
    async with a_tls_server(tmp_path, name="good.test", valid=timedelta(days=40, minutes=5)) as port:
        asked = {"host": "127.0.0.1", "port": port, "server_name": "good.test"}
        good = await on_call.runs(runbook, **asked, trusted=False)
        untrusted = await on_call.runs(runbook, **asked)
        soon = await on_call.runs(runbook, **asked, trusted=False, warn_days=41)
    async with a_tls_server(tmp_path, name="late.test", valid=timedelta(days=-1)) as port:
        late = await on_call.runs(runbook, host="127.0.0.1", port=port, server_name="late.test", trusted=False)
    nothing = await on_call.runs(runbook, host="127.0.0.1", port=unused_tcp_port)
    assert (good.code, good.err) == (0, "")
    assert "40 days from now" in good.out
    assert "trusted:    no, self" in good.out
    assert (untrusted.code, untrusted.err) == (1, "tls-expiry: it is not trusted\n")
    assert (soon.code, soon.err) == (1, "tls-expiry: it expires in less than 41 days\n")
    assert (late.code, late.err) == (1, "tls-expiry: it has expired\n")
    assert nothing.code == 2
    assert "refused" in nothing.err


@pytest.fixture
async def watched_postgres(database_url: str, services_folder: Path, sockets: Path) -> AsyncIterator[int]:
    """The port of a PostgreSQL that knows a user by password and runs one query for a minute."""
    rules = services_folder / "postgresql/pg_hba.conf"
    usual = rules.read_text()
    engine = create_async_engine(async_url(database_url), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as busy, engine.connect() as admin, a_port_for(sockets / ".s.PGSQL.5432") as port:
        rules.write_text(f"local all watcher scram-sha-256\n{usual}")
        await admin.execute(text("SELECT pg_reload_conf()"))
        await admin.execute(text(f"CREATE ROLE watcher LOGIN PASSWORD '{PASSWORD}'"))
        await admin.execute(text("GRANT pg_monitor TO watcher"))
        pid = (await busy.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        query = asyncio.ensure_future(busy.execute(text("SELECT 'slow   one', pg_sleep(60)")))
        try:
            yield port
        finally:
            await admin.execute(text("SELECT pg_cancel_backend(:pid)"), {"pid": pid})
            await asyncio.wait([query])
            assert query.exception() is not None
            await admin.execute(text("DROP ROLE watcher"))
            rules.write_text(usual)
            await admin.execute(text("SELECT pg_reload_conf()"))
    await engine.dispose()


async def test_postgres_long_queries(on_call: Team, watched_postgres: int) -> None:
    await on_call.keeps_secret("postgres_password", PASSWORD)
    runbook = await on_call.adopts(LIBRARY / "postgres-long-queries.yaml")
    asked = {"host": "127.0.0.1", "port": watched_postgres, "tls": "disable", "user": "watcher"}
    found = await on_call.runs(runbook, **asked, seconds=0)
    none = await on_call.runs(runbook, **asked, seconds=3600)
    trusted = await on_call.runs(runbook, **asked | {"user": "oncall"}, seconds=3600)
    await on_call.keeps_secret("postgres_password", "not the password")
    wrong = await on_call.runs(runbook, **asked)
    no_tls = await on_call.runs(runbook, **asked | {"tls": "require"})
    assert found.code == 1, found
    assert "SELECT 'slow one', pg_sleep(60)" in found.out
    assert "Timeout:PgSleep" in found.out
    assert none == trusted == Ran(0, "no query has been running for 3600 s or more\n", "")
    assert wrong.code == 2
    assert 'password authentication failed for user "watcher"' in wrong.err
    assert (no_tls.code, "the server has no TLS" in no_tls.err) == (2, True)


async def test_http_health(on_call: Team, unused_tcp_port: int) -> None:
    runbook = await on_call.adopts(LIBRARY / "http-health.yaml")
    statuses = iter([200, 200, 503])
    pages = {"/ok?key=hidden": (200, b'{"status": "ready"}'), "/flaky": lambda _: (next(statuses), b"")}
    async with an_http_server(pages) as site:
        asked = {"attempts": 3, "pause_ms": 0, "limit_ms": 30_000}
        good = await on_call.runs(runbook, url=f"{site.url}/ok?key=hidden", contains="ready", **asked)
        flaky = await on_call.runs(runbook, url=f"{site.url}/flaky", **asked)
        left = await on_call.left_by(runbook)
        other = await on_call.runs(runbook, url=f"{site.url}/ok?key=hidden", contains="missing", **asked)
    gone = await on_call.runs(runbook, url=f"http://127.0.0.1:{unused_tcp_port}/", **asked)
    assert (good.code, good.err) == (0, "")
    assert len([line for line in good.out.splitlines() if line.endswith("  good")]) == 3
    assert "median " in good.out
    assert "hidden" not in good.out
    assert (flaky.code, flaky.err) == (1, "http-health: 1 of 3 attempts were not good\n")
    assert "503" in flaky.out
    assert (other.code, "the expected text is missing" in other.out) == (1, True)
    assert (left["attempts"], left["good"], left["median_ms"] <= left["slowest_ms"]) == (3, 2, True)
    assert await on_call.left_by(runbook) == {"attempts": 3, "good": 0, "median_ms": None, "slowest_ms": None}
    assert (gone.code, gone.err, "ECONNREFUSED" in gone.out) == (2, "http-health: nothing answered\n", True)


async def test_restart_service(on_call: Team, unused_tcp_port: int) -> None:
    await on_call.keeps_secret("restart_token", TOKEN)
    runbook = await on_call.adopts(LIBRARY / "restart-service.yaml")
    checks = iter([503, 200])

    def hook(asked: Asked) -> tuple[int, bytes]:
        return (202 if asked.headers["authorization"] == f"Bearer {TOKEN}" else 403), b""

    pages = {"/restart": hook, "/health": lambda _: (next(checks, 503), b""), "/moved": (302, b"")}
    async with an_http_server(pages) as site:
        asked = {"service": "web", "hook_url": f"{site.url}/restart", "health_url": f"{site.url}/health"}
        unconfirmed = await stream_refusal_of(on_call.execution(runbook, **asked))
        dry = await on_call.runs(runbook, confirm=True, **asked)
        assert site.asked == []
        done = await on_call.runs(runbook, confirm=True, dry_run=False, **asked)
        [restart, *health] = site.asked
        sick = await on_call.runs(runbook, confirm=True, dry_run=False, wait_seconds=0, **asked)
        moved = await on_call.runs(runbook, confirm=True, dry_run=False, service="web", hook_url=f"{site.url}/moved")
        paths = [request.path for request in site.asked]
        await on_call.keeps_secret("restart_token", "a token of yesterday")
        refused = await on_call.runs(runbook, confirm=True, dry_run=False, **asked)
    assert (unconfirmed.code, unconfirmed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CONFIRMATION_REQUIRED")
    assert (dry.code, "would restart web" in dry.out, "nothing was done" in dry.out) == (0, True, True)
    assert (done.code, done.err, "the hook answered 202" in done.out, "healthy after" in done.out) == (
        0,
        "",
        True,
        True,
    )
    assert (restart.method, json.loads(restart.body)["service"], len(health)) == ("POST", "web", 2)
    assert (sick.code, sick.err) == (1, "restart-service: web was restarted and is not healthy\n")
    assert (moved.code, "/elsewhere" in paths) == (2, False), "a token does not follow a redirect"
    assert refused == Ran(2, "restarting web\n", "restart-service: not restarted: the hook answered 403\n")


async def test_log_errors(on_call: Team) -> None:
    runbook = await on_call.adopts(LIBRARY / "log-errors.yaml")
    lines = [f"2026-01-01T10:0{n % 3}:00Z INFO request {n} done" for n in range(96)]
    lines += [f"2026-01-01T10:05:0{n}Z ERROR no reply from db-{n} after 30 s" for n in range(3)]
    lines += ["2026-01-01T10:06:00Z FATAL out of disk"]
    async with an_http_server({"/log": (200, "\n".join(lines).encode()), "/big": (200, b"x" * 2**21)}) as site:
        below = await on_call.runs(runbook, url=f"{site.url}/log")
        above = await on_call.runs(runbook, url=f"{site.url}/log", warn_percent=4)
        missing = await on_call.runs(runbook, url=f"{site.url}/nothing")
        big = await on_call.runs(runbook, url=f"{site.url}/big", max_mib=1)
        unreadable = await on_call.runs(runbook, url=f"{site.url}/log", error_pattern="(")
    assert (below.code, below.err) == (0, "")
    assert "100 lines, 4 errors: 4.00 %" in below.out
    assert "      3  2026-01-01T10:05\n" in below.out
    assert "      3  ERROR no reply from db-# after # s\n" in below.out
    assert (above.code, above.err) == (1, "log-errors: 4 % or more of the lines are errors\n")
    assert missing == Ran(2, "", "log-errors: cannot read the log: status 404\n")
    assert big == Ran(2, "", "log-errors: cannot read the log: it is longer than 1 MiB\n")
    assert (unreadable.code, "Invalid regular expression" in unreadable.err) == (2, True)


async def test_dns_check(on_call: Team, unused_udp_port: int) -> None:
    runbook = await on_call.adopts(LIBRARY / "dns-check.yaml")
    async with a_dns_server({"shop.test": ["192.0.2.1", "192.0.2.2"]}) as server:
        asked = {"name": "shop.test", "server": server}
        good = await on_call.runs(runbook, **asked, expected="192.0.2.2, 192.0.2.1")
        other = await on_call.runs(runbook, **asked, expected="192.0.2.1,192.0.2.9")
        unknown = await on_call.runs(runbook, name="nowhere.test", server=server)
    gone = await on_call.runs(runbook, name="shop.test", server=f"127.0.0.1:{unused_udp_port}", timeout_ms=50)
    assert (good.code, good.err, good.out.splitlines()[1:]) == (0, "", ["  192.0.2.1", "  192.0.2.2"])
    assert (other.code, other.err) == (
        1,
        "dns-check: missing: 192.0.2.9\ndns-check: not expected: 192.0.2.2\n",
    )
    assert (unknown.code, "no such name" in unknown.out) == (1, True)
    assert gone.code == 2


async def test_json_compare(on_call: Team) -> None:
    runbook = await on_call.adopts(LIBRARY / "json-compare.yaml")
    left = {"release": 1, "items": [{"id": 1, "at": "10:00"}, {"id": 2}], "tags": {"a": None}}
    right = {"release": 1, "items": [{"id": 1, "at": "11:00"}, {"id": 3}, {"id": 4}], "tags": {"a": False}}
    pages = {"/1": (200, json.dumps(left).encode()), "/2": (200, json.dumps(right).encode()), "/no": (200, b"<html>")}
    async with an_http_server(pages) as site:
        same = await on_call.runs(runbook, left_url=f"{site.url}/1", right_url=f"{site.url}/1")
        other = await on_call.runs(runbook, left_url=f"{site.url}/1", right_url=f"{site.url}/2", ignore="items.*.at")
        html = await on_call.runs(runbook, left_url=f"{site.url}/1", right_url=f"{site.url}/no")
    assert same == Ran(0, "the same\n", "")
    assert other == Ran(
        1, 'items.1.id: 2 -> 3\nitems.2: nothing -> {"id":4}\ntags.a: null -> false\n3 differences\n', ""
    )
    assert (html.code, html.err.endswith("/no: it answered no JSON\n")) == (2, True)


async def test_redis_queue_depth(on_call: Team, redis_url: str, sockets: Path) -> None:
    runbook = await on_call.adopts(LIBRARY / "redis-queue-depth.yaml")
    async with Redis.from_url(redis_url) as redis, a_port_for(sockets / "redis.sock") as port:
        await redis.rpush("example:mail", *range(30))
        await redis.xadd("example:events", {"a": "1"})
        await redis.execute_command("ACL", "SETUSER", "watcher", "on", f">{PASSWORD}", "~example:*", "+@all")
        asked = {"host": "127.0.0.1", "port": port, "keys": "example:mail,example:events,example:none"}
        fine = await on_call.runs(runbook, **asked)
        long = await on_call.runs(runbook, **asked, warn_length=30, user="watcher", password=PASSWORD)
        wrong = await on_call.runs(runbook, **asked, user="watcher", password="not the password")
        await redis.execute_command("ACL", "DELUSER", "watcher")
    assert (fine.code, fine.err) == (0, "")
    assert [line.split() for line in fine.out.splitlines()[1:]] == [
        ["30", "list", "example:mail"],
        ["1", "stream", "example:events"],
        ["0", "none", "example:none"],
    ]
    assert (long.code, "list    example:mail  <- too long" in long.out) == (1, True)
    assert (wrong.code, "WRONGPASS" in wrong.err) == (2, True)
