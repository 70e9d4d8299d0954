"""What the next execution finds: a clean place, and its limits in full."""

from __future__ import annotations

from kernel.execution.content import ResourceLimits, ScriptLanguage
from kernel.execution.status import ExecutionStatus
from tests.integration.conftest import Platform
from tests.sandbox.attack import MIB

USE_ALL = """
import os, threading
assert os.listdir("/sandbox/work") == os.listdir("/tmp") == os.listdir("/dev/shm") == [], "not clean"
assert len([name for name in os.listdir("/proc") if name.isdigit()]) <= 3, "not alone"
for place in ("/sandbox/work/a", "/tmp/b"):
    with open(place, "wb") as file: [file.write(bytes(1024 * 1024)) for _ in range(12)]
held = bytearray(b"x") * (64 * 1024 * 1024)
release = threading.Event()
threads = [threading.Thread(target=release.wait) for _ in range(40)]
for thread in threads: thread.start()
release.set()
print("whole")
"""


async def assert_as_new(platform: Platform) -> None:
    """Runs a script that uses nearly all that it may; it can only where nothing of others is left or counted."""
    limits = ResourceLimits(memory_bytes=128 * MIB, processes=48, disk_bytes=26 * MIB)
    for _ in range(7):  # as many as the executor has users: for four slots, two that stand ready and one replaced
        done = await platform.run(USE_ALL, ScriptLanguage.PYTHON, limits=limits)

        assert (done.status, done.stdout) == (ExecutionStatus.COMPLETED, b"whole\n"), done.stderr
