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
    return f"{socket.gethostname()[:60]}-{os.getpid()}-{started(os.getpid())}-{secrets.token_hex(4)}"


def is_alive(executor_id: str) -> bool:
    """Whether the process that made this name, on this machine, is still running; False for what is no such name."""
    try:
        pid, began = executor_id.rsplit("-", 3)[1:3]
        return started(int(pid)) == began
    except (ValueError, OSError):
        return False


def started(pid: int) -> str:
    """Answers when a process began, as the kernel counts; OSError where there is none."""
    # The 22nd field; the 2nd is the program's name in parentheses and may itself hold anything.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
