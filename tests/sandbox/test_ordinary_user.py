"""An executor that is nobody in particular: what isolates its scripts without root and without cgroups, and holds."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from cli.launcher.service_account import ServiceAccount
from executor.sandbox.isolation import LAYERS
from kernel import lifecycle
from kernel.database import transaction
from kernel.execution.content import NetworkPolicy, ResourceLimits, ScriptLanguage
from kernel.execution.status import ExecutionStatus
from tests.executors import an_executor_process
from tests.integration.conftest import Platform, Record
from tests.processes import processes_of
from tests.sandbox.attack import MIB
from tests.sandbox.ordinary import OrdinaryUser, ordinary_user

pytestmark = pytest.mark.asyncio(loop_scope="module")

WITHOUT_NAMESPACES = ("unshare", "--user", "--map-current-user", "--keep-caps", "--", "sh", "-c")
SWITCH_OFF = (
    'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --ambient-caps=-all --inh-caps=-all -- "$0" "$@"'
)
CLEAN = b".:\n\n/dev/shm:\n\n/tmp:\nwhole\n"


@pytest.fixture(scope="module")
def user(account: ServiceAccount | None, bait_folder: Path) -> Iterator[OrdinaryUser]:
    folder = bait_folder / "ordinary"
    folder.mkdir()
    folder.chmod(0o755)
    try:
        yield ordinary_user(account, folder)
    finally:
        shutil.rmtree(folder)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def executing(
    user: OrdinaryUser, services: tuple[str, str], platform: Platform, bait_folder: Path
) -> AsyncIterator[Platform]:
    """The platform with one executor that is a process of that user."""
    socket = urlsplit(services[1]).path
    os.chmod(socket, 0o777)  # noqa: S103, PTH101 - the folder that it is in says who may come
    async with an_executor_process(
        *services, bait_folder, python=(*user.become, user.python), inherited=user.environment
    ):
        yield platform
    os.chmod(socket, 0o700)  # noqa: PTH101


async def test_what_a_script_leaves_is_found_also_without_privileges(executing: Platform) -> None:
    left = await executing.run("""echo '{"a": 1}' >"$ONCALL_OUTPUT" """)
    hidden = await executing.run("""echo '{"a": 1}' >"$ONCALL_OUTPUT"; chmod 0 "$ONCALL_OUTPUT" """)

    assert (left.output, left.output_error) == ({"a": 1}, "")
    assert (hidden.output, hidden.output_error) == (None, "it cannot be read: Permission denied")


def held_by(done: Record) -> dict[str, str]:
    """Answers what holds each layer that holds."""
    return {layer["name"]: layer["mechanism"] for layer in done.isolation if layer["held"]}


def has_cgroups(done: Record) -> bool:
    return "cgroup" in held_by(done)["memory"]


async def test_every_execution_says_what_held_it(executing: Platform) -> None:
    done = await executing.run("id -u; cut -f 2 -d : /proc/self/cgroup | head -1")

    held = held_by(done)
    assert done.stdout.startswith(b"1000\n")
    assert set(LAYERS) - set(held) <= {"cpu"}
    assert "own user" not in held["process"]  # it is the executor's, and a namespace is between them
    if os.geteuid() == 0:  # then the user is one to whom nobody delegated anything
        assert (held["memory"], held["processes"], "cpu" in held) == ("rlimit per process", "rlimit", False)


@pytest.mark.parametrize(
    ("language", "script"),
    [
        (ScriptLanguage.BASH, 'echo "$PARAM_WORD from $0"'),
        (ScriptLanguage.PYTHON, "import os, sys; print(os.environ['PARAM_WORD'], 'from', sys.argv[0])"),
        (ScriptLanguage.JAVASCRIPT, "console.log(process.env.PARAM_WORD, 'from', process.argv[1])"),
    ],
)
async def test_scripts_of_every_language_run(executing: Platform, language: ScriptLanguage, script: str) -> None:
    done = await executing.run(script, language, parameter_values={"word": "hello"})

    assert (done.status, done.exit_code) == (ExecutionStatus.COMPLETED, 0), done.stderr
    assert done.stdout.startswith(b"hello from /run/oncall/script.")


async def test_a_process_cannot_have_more_memory_than_allowed_and_its_script_hears_it(executing: Platform) -> None:
    script = "keep = []\nwhile True: keep.append(bytearray(8 * 1024 * 1024))"
    done = await executing.run(script, ScriptLanguage.PYTHON, limits=ResourceLimits(memory_bytes=64 * MIB))

    assert done.status == ExecutionStatus.FAILED
    if has_cgroups(done):
        assert done.error_code == "OUT_OF_MEMORY"
    else:
        # The kernel refuses what it would otherwise kill for; only the script knows, and what it says is kept.
        assert (done.error_code, done.exit_code) == (None, 1)
        assert b"MemoryError" in done.stderr


@pytest.mark.parametrize("network", [NetworkPolicy.NONE, NetworkPolicy.HOST])
async def test_more_processes_than_allowed_cannot_be_started(executing: Platform, network: NetworkPolicy) -> None:
    script = """
import os, time
started = 0
try:
    for _ in range(200):
        if os.fork() == 0:
            time.sleep(30)
        started += 1
except BlockingIOError:
    pass
print(started)
"""
    done = await executing.run(script, ScriptLanguage.PYTHON, limits=ResourceLimits(processes=20), network=network)

    assert done.status == ExecutionStatus.COMPLETED, done.error_message
    assert 5 < int(done.stdout) < 20


async def test_a_fork_bomb_ends_at_the_time_limit_and_leaves_nobody(executing: Platform) -> None:
    execution = await executing.an_execution(
        "bomb() { bomb | bomb & }; bomb 2>/dev/null; sleep 1000", timeout_seconds=2, limits=ResourceLimits(processes=32)
    )
    await executing.doorbell.ring(execution)
    done = await executing.end_of(execution)

    assert processes_of(execution) == []
    assert (done.status, done.error_code) == (ExecutionStatus.TIMEOUT, "TIME_LIMIT")


async def test_cancelled_is_said_only_when_every_process_is_gone(executing: Platform) -> None:
    stubborn = 'trap "" TERM; (trap "" TERM; setsid sleep 1000) & echo ready; while :; do sleep 1000; done'
    execution = await executing.an_execution(stubborn)
    await executing.doorbell.ring(execution)
    await executing.output_of(execution, b"ready")
    assert processes_of(execution)

    async with transaction(executing.sessions) as tx:
        await lifecycle.request_cancel(tx.session, execution)
    done = await executing.end_of(execution)

    assert processes_of(execution) == []
    assert done.status == ExecutionStatus.CANCELLED


async def test_nothing_of_the_user_can_be_seen_signalled_or_changed(executing: Platform, bait_folder: Path) -> None:
    script = f"""
[ -e {bait_folder} ] && echo saw; kill -9 -1 2>/dev/null; kill -9 {os.getpid()} 2>/dev/null && echo signalled
for place in / /usr /etc /run /proc/sys/kernel; do touch $place/mark 2>/dev/null && echo "wrote $place"; done
unshare --user true 2>/dev/null && echo nested; (echo x >/dev/tcp/127.0.0.1/22) 2>/dev/null && echo connected
grep -q '^CapBnd:.0000000000000000' /proc/self/status || echo powerful
grep -q '^Seccomp:.2' /proc/self/status || echo unfiltered
[ $(ls -d /proc/[0-9]* | wc -l) -le 5 ] || echo crowded
"""
    assert (await executing.run(script)).stdout == b""


async def test_the_next_execution_is_clean(executing: Platform) -> None:
    script = "ls -A . /tmp /dev/shm; for n in $(seq 20); do sleep 1000 & done; kill $(jobs -p); wait; echo whole"
    for _ in range(4):  # as many as the executor has slots
        done = await executing.run(script, limits=ResourceLimits(processes=32))

        assert (done.status, done.stdout) == (ExecutionStatus.COMPLETED, CLEAN), done.stderr


async def test_the_doctor_says_what_to_do_for_more(user: OrdinaryUser) -> None:
    said = user.run("-m", "executor.doctor", "--json")

    layers = {layer["name"]: layer for layer in json.loads(said.stdout)["layers"]}
    assert said.returncode == 0, said.stderr
    for name in ("memory", "processes", "cpu"):
        assert ("Delegate=yes" in layers[name]["advice"]) is ("cgroup" not in layers[name]["mechanism"])


async def test_where_user_namespaces_are_off_it_says_so_and_what_to_do(
    user: OrdinaryUser, services: tuple[str, str]
) -> None:
    before = (*WITHOUT_NAMESPACES, SWITCH_OFF)
    doctor = user.run("-m", "executor.doctor", before=before)
    settings = {"DATABASE_URL": services[0], "REDIS_URL": services[1], "MASTER_KEY": "A" * 43 + "="}
    starting = (*before, "env", *(f"ONCALL_{name}={value}" for name, value in settings.items()))
    executor = user.run("-m", "executor", before=starting)

    assert (doctor.returncode, executor.returncode) == (1, 2), executor
    for said in (doctor, executor):
        assert "no script can be isolated on this machine" in said.stdout + said.stderr
        assert "user namespaces are off on this machine: sysctl user.max_user_namespaces" in said.stdout + said.stderr
