"""The name of an executor: machine, process, when that process began, and something random.

Process ids come again, so the name holds the start time too; with both, whether an executor still lives can be seen.
"""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path


def new_executor_id() -> str:
    """Answers `host-pid-start-random`; two executors in one process have different names."""
    return f"{socket.gethostname()[:60]}-{os.getpid()}-{_started(os.getpid())}-{secrets.token_hex(4)}"


def is_alive(executor_id: str) -> bool:
    """Whether the process that made this name, on this machine, is still running; False for what is no such name."""
    try:
        pid, started = executor_id.rsplit("-", 3)[1:3]
        return _started(int(pid)) == started
    except (ValueError, OSError):
        return False


def _started(pid: int) -> str:
    # The 22nd field; the 2nd is the program's name in parentheses and may itself hold anything.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
