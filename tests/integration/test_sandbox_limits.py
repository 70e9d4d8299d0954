"""What a script may use, see and reach; each attempt to get more is made from inside and judged from outside."""

from __future__ import annotations

import json
import os

import psutil
import pytest

from kernel.execution.content import ResourceLimits, ScriptLanguage
from kernel.execution.status import ExecutionStatus
from tests.integration.conftest import Platform

MIB = 1024 * 1024

pytestmark = pytest.mark.usefixtures("executor")


async def test_more_memory_than_allowed_ends_the_script_and_says_why(platform: Platform) -> None:
    done = await platform.run(
        "keep = []\nwhile True: keep.append(bytearray(8 * 1024 * 1024))",
        ScriptLanguage.PYTHON,
        limits=ResourceLimits(memory_bytes=64 * MIB),
    )

    assert done.status == ExecutionStatus.FAILED
    assert done.error_code == "OUT_OF_MEMORY" or b"MemoryError" in done.stderr


async def test_more_processes_than_allowed_cannot_be_started(platform: Platform) -> None:
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
    done = await platform.run(script, ScriptLanguage.PYTHON, limits=ResourceLimits(processes=20))

    assert int(done.stdout) < 20


async def test_more_disk_than_allowed_cannot_be_written_in_all_places_together(platform: Platform) -> None:
    script = """
for file in a b /tmp/c /tmp/d; do head -c 3000000 /dev/zero > $file || echo full; done
cat a b /tmp/c /tmp/d | wc -c
"""
    done = await platform.run(script, limits=ResourceLimits(disk_bytes=8 * MIB))

    assert b"full" in done.stdout
    assert int(done.stdout.split()[-1]) <= 8 * MIB


async def test_processor_time_is_bounded(platform: Platform) -> None:
    script = "import time; end = time.monotonic() + 1.5\nwhile time.monotonic() < end: pass\nprint(time.process_time())"
    done = await platform.run(script, ScriptLanguage.PYTHON, limits=ResourceLimits(cpus=0.2))

    held = {layer["name"]: layer["held"] for layer in done.isolation}
    assert not held["cpu"] or float(done.stdout) < 1.0


async def test_nothing_of_the_machine_but_its_programs_can_be_seen_and_nothing_changed(platform: Platform) -> None:
    script = """
for place in /root /home /var /etc/shadow /etc/hostname /run/systemd /sys /boot /opt /srv /mnt; do
  [ -e $place ] && echo "saw $place"
done
for place in / /usr /usr/bin /etc /dev /run /run/oncall /proc/sys/kernel; do
  touch $place/mark 2>/dev/null && echo "wrote $place"
done
ls /tmp "$HOME"
"""
    done = await platform.run(script)

    assert sorted(done.stdout.split()) == [b"/sandbox/work:", b"/tmp:"]


async def test_there_is_no_network(platform: Platform) -> None:
    script = """
import socket
print(sorted(name for _, name in socket.if_nameindex()))
for target in (("127.0.0.1", 22), ("10.0.0.1", 80), ("::1", 80)):
    try:
        socket.create_connection(target, timeout=1)
        print("connected")
    except OSError:
        pass
"""
    done = await platform.run(script, ScriptLanguage.PYTHON)

    assert done.stdout == b"['lo']\n"


async def test_a_script_sees_only_its_own_processes_and_no_capability(platform: Platform) -> None:
    script = """
ls -d /proc/[0-9]* | wc -l
grep -h -e CapEff -e CapBnd -e NoNewPrivs /proc/self/status | sort | cut -f 2
id -u
ls /proc/self/fd
"""
    done = await platform.run(script)

    lines = done.stdout.decode().split()
    assert int(lines[0]) <= 5
    assert lines[1:4] == ["0000000000000000", "0000000000000000", "1"]
    assert lines[4] == "1000"
    assert lines[5:] == ["0", "1", "2", "3"]  # 3 is the listing's own


async def test_only_what_is_documented_is_in_the_environment(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONCALL_TEST_LEAK", "leaked")
    script = "import json, os; print(json.dumps(sorted(os.environ)))"
    done = await platform.run(script, ScriptLanguage.PYTHON, parameter_values={"name": "x"})

    allowed = {
        "HOME",
        "LANG",
        "LC_CTYPE",  # Python's own
        "ONCALL_ATTEMPT",
        "ONCALL_EXECUTION_ID",
        "ONCALL_OUTPUT",
        "ONCALL_PARAMETERS",
        "ONCALL_SECRETS",
        "PARAM_NAME",
        "PATH",
        "PWD",
        "TMPDIR",
        "USER",
    }
    assert set(json.loads(done.stdout)) <= allowed


async def test_the_executor_is_out_of_reach(platform: Platform) -> None:
    done = await platform.run(f"kill -9 {os.getpid()}; kill -9 -1; echo unreachable")

    assert done.status in (ExecutionStatus.FAILED, ExecutionStatus.COMPLETED)
    assert (await platform.run("echo alive")).stdout == b"alive\n"


async def test_no_value_stands_on_a_command_line(platform: Platform) -> None:
    execution = await platform.an_execution("echo ready; sleep 1000", parameter_values={"name": "needle-in-ps"})
    await platform.doorbell.ring(execution)
    await platform.output_of(execution, b"ready")

    lines = [line for process in psutil.process_iter(["cmdline"]) for line in process.info["cmdline"] or ()]
    assert any("bwrap" in line for line in lines)
    assert not any("needle-in-ps" in line for line in lines)


async def test_each_execution_says_which_layers_held(platform: Platform) -> None:
    done = await platform.run("true")

    held = {layer["name"] for layer in done.isolation if layer["held"]}
    assert {"process", "filesystem", "network", "environment", "time", "capabilities"} <= held
