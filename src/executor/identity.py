"""The name of an executor: machine, process, and something random, because process ids come again."""

from __future__ import annotations

import os
import secrets
import socket


def new_executor_id() -> str:
    """Answers `host-pid-random`; `sandbox.cgroup` reads the process id from it."""
    return f"{socket.gethostname()[:60]}-{os.getpid()}-{secrets.token_hex(4)}"
