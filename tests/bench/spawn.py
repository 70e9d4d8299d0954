"""What the main job is compared with: a bare bash, and a bare bubblewrap around one."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence

BASH = ("/usr/bin/bash", "-c", "echo x")
BUBBLEWRAP = (
    *("bwrap", "--unshare-all", "--die-with-parent", "--new-session"),
    *("--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib"),
    *("--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--"),  # noqa: S108 - its own
    *BASH,
)


def first_byte(command: Sequence[str]) -> float:
    """Answers the seconds from before the spawn to the first byte of output."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd="/") as process:
        assert process.stdout is not None
        os.read(process.stdout.fileno(), 1)
        return time.perf_counter() - began
