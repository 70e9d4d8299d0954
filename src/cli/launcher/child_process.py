"""Starting and ending the programs of one installation, so that none outlives its launcher.

Start only from the main thread: the kernel ends a child when the *thread* that started it is gone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cli.launcher.service_account import ServiceAccount

Process = subprocess.Popen[bytes]

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def start(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    log: Path,
    death_signal: signal.Signals,
    cwd: Path | None = None,
    account: ServiceAccount | None = None,
) -> Process:
    """Starts a program in a session of its own, so that a Ctrl-C in the terminal reaches the launcher alone.

    Its output is appended to `log`; `death_signal` is what it gets if the launcher dies, even by kill -9.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=dies_with_parent(death_signal),
        )


def dies_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """Answers what a child calls before it becomes its program; run after the change of user, which would undo it."""
    launcher = os.getpid()

    def in_child() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != launcher:  # it died between the fork and this line
            os._exit(1)

    return in_child


def stop(process: Process, stop_signal: signal.Signals, *, seconds: float) -> bool:
    """Ends a program and whatever shares its process group; answers whether it went before the time was up."""
    orderly = True
    if process.poll() is None:
        process.send_signal(stop_signal)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            orderly = False
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return orderly


def last_lines(log: Path, count: int = 3) -> str:
    """Answers the end of a log file as one line, for an error sentence."""
    with suppress(OSError):
        lines = log.read_bytes()[-4096:].decode(errors="replace").splitlines()
        return " / ".join(line.strip() for line in lines[-count:] if line.strip())
    return ""
