"""Starting and ending the programs of one installation, so that none outlives its launcher.

Start only from the main thread: the kernel ends a child when the *thread* that started it is gone.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cli.launcher.service_account import ServiceAccount

Process = subprocess.Popen[bytes]

# Of util-linux, which every distribution has; where the system keeps it, whatever PATH a process is given.
_SETPRIV = shutil.which("setpriv", path="/usr/bin:/bin:/usr/sbin:/sbin") or "setpriv"


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
            [*mortal(death_signal, account), *(str(part) for part in command)],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def mortal(death_signal: signal.Signals, account: ServiceAccount | None = None) -> list[str]:
    """Answers the words before a command that let it die with its launcher, and be run by `account`.

    A small program does that on its way to the real one, not Python in the child: between fork and exec a process that
    has had threads, as gRPC's, may crash.
    """
    words = [_SETPRIV, f"--pdeathsig={death_signal.name.removeprefix('SIG')}"]
    if account:
        words += [f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
    return [*words, "--"]


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
