"""How `oncall up` starts, stops, starts again, and says why it cannot."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import httpx
import psutil
import pytest

from tests.e2e.conftest import Launch
from tests.e2e.launched import Launched

STOP_SECONDS = 10


def _runs(process: psutil.Process) -> bool:
    """Whether a process does anything: one that has ended may be listed until the machine's init asks for its code."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _stop_and_look(stack: Launched) -> None:
    """Interrupts it as Ctrl-C does, and checks that nothing is left."""
    processes, sockets = stack.processes(), stack.sockets()
    assert len(processes) >= 6
    assert sockets
    began = time.monotonic()
    stack.interrupt()
    code, errors = stack.wait()
    assert (code, errors) == (0, "")
    assert time.monotonic() - began < STOP_SECONDS
    assert not [process for process in processes if _runs(process)]
    assert not (stack.data / "demo.json").exists(), "it would name ports where nobody listens"
    assert not [path for path in sockets if path.exists() or path.parent.exists()]


@pytest.mark.timeout(300)  # three starts and two stops of everything take a loaded machine two minutes
def test_a_second_start_finds_its_data_also_after_kill_minus_nine(launch: Launch) -> None:
    first = launch("--demo")
    first.wait_until_it_serves()
    demo = first.demo()
    _stop_and_look(first)

    second = launch("--demo")
    second.wait_until_it_serves()
    for key in ("team_id", "runbooks", "status_page", "tokens"):
        found, made = second.demo()[key], demo[key]
        if key == "status_page":
            assert {**found, "url": ""} == {**made, "url": ""}, "but for its port it is the same"
        else:
            assert found == made, key
    processes = second.processes()
    second.kill()
    second.wait()
    _, alive = psutil.wait_procs(processes, timeout=STOP_SECONDS)
    assert alive == []

    third = launch()
    third.wait_until_it_serves()
    assert not (third.data / "demo.json").exists()
    _stop_and_look(third)


def test_given_a_database_and_a_redis_it_starts_none_of_its_own(
    launch: Launch, database_url: str, redis_url: str
) -> None:
    stack = launch(env={"ONCALL_DATABASE_URL": database_url, "ONCALL_REDIS_URL": redis_url})
    stack.wait_until_it_serves()
    names = {process.name() for process in stack.processes()}
    assert not names & {"postgres", "redis-server"}
    assert "admin create" in stack.output
    assert not (stack.data / "demo.json").exists()


def test_a_crashed_process_is_started_again_where_it_was(launch: Launch, database_url: str, redis_url: str) -> None:
    stack = launch(env={"ONCALL_DATABASE_URL": database_url, "ONCALL_REDIS_URL": redis_url})
    stack.wait_until_it_serves()
    gateway = next(process for process in stack.processes() if process.cmdline()[-1] == "gateway")
    address = next(line.split()[-1] for _, line in stack.lines if "gateway  http" in line)
    gateway.kill()
    deadline = time.monotonic() + 20
    while "gateway runs again" not in stack.output:
        assert time.monotonic() < deadline, stack.output
        time.sleep(0.02)
    assert httpx.get(f"{address}/livez").status_code == 200


def _refused(stack: Launched) -> str:
    """Answers the one sentence that it ends with."""
    code, errors = stack.wait(60)
    assert code == 2, stack.output + errors
    assert len(errors.splitlines()) == 1, errors
    assert "Traceback" not in stack.output + errors
    return errors


@pytest.mark.parametrize("variable", ["ONCALL_SERVER_LISTEN", "ONCALL_GATEWAY_LISTEN"])
def test_a_busy_port_is_one_sentence(launch: Launch, database_url: str, redis_url: str, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        given = {"ONCALL_DATABASE_URL": database_url, "ONCALL_REDIS_URL": redis_url, variable: address}
        assert address in _refused(launch(env=given))


def test_an_unreachable_database_is_one_sentence(launch: Launch, tmp_path: Path, redis_url: str) -> None:
    given = {"ONCALL_DATABASE_URL": f"postgresql://u:secret@/x?host={tmp_path}", "ONCALL_REDIS_URL": redis_url}
    sentence = _refused(launch(env=given))
    assert "ONCALL_DATABASE_URL" in sentence
    assert "secret" not in sentence


def test_an_unreachable_redis_is_one_sentence(launch: Launch, tmp_path: Path, database_url: str) -> None:
    given = {"ONCALL_DATABASE_URL": database_url, "ONCALL_REDIS_URL": f"unix://{tmp_path}/none"}
    assert "ONCALL_REDIS_URL" in _refused(launch(env=given))


def test_a_missing_sandbox_is_one_sentence(launch: Launch, tmp_path: Path, database_url: str, redis_url: str) -> None:
    given = {"ONCALL_DATABASE_URL": database_url, "ONCALL_REDIS_URL": redis_url, "PATH": str(tmp_path)}
    assert "bubblewrap" in _refused(launch(env=given))


def test_a_data_folder_that_is_in_use_is_one_sentence(launch: Launch, database_url: str, redis_url: str) -> None:
    given = {"ONCALL_DATABASE_URL": database_url, "ONCALL_REDIS_URL": redis_url}
    first = launch(env=given)
    first.wait_until_it_serves()
    assert "already runs on the data folder" in _refused(launch(env=given))
    assert httpx.get(next(line.split()[-1] for _, line in first.lines if "gateway  http" in line) + "/livez").is_success


def test_a_data_folder_that_cannot_be_written_is_one_sentence(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file is in the way")
    assert "cannot be written" in _refused(launch())
