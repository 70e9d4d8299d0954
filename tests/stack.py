"""A whole installation, started as a person starts it: `oncall up --demo` in a folder of its own, on free ports."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

START_SECONDS = 90
STOP_SECONDS = 15


@contextlib.contextmanager
def running_stack(folder: Path | None = None) -> Iterator[dict[str, Any]]:
    """Yields the content of `demo.json` once everything is ready; stops it all at the end."""
    with contextlib.ExitStack() as leaving:
        if folder is None:
            folder = Path(
                leaving.enter_context(tempfile.TemporaryDirectory(prefix="oncall-", ignore_cleanup_errors=True))
            )
            folder.chmod(0o755)
        data = folder / "data"
        output = leaving.enter_context((folder / "up.log").open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "up", "--demo"],
            env={
                **os.environ,
                "ONCALL_DATA_DIR": str(data),
                "ONCALL_SERVER_LISTEN": "127.0.0.1:0",
                "ONCALL_GATEWAY_LISTEN": "127.0.0.1:0",
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield _demo(process, data, folder / "up.log")
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def _demo(process: subprocess.Popen[bytes], data: Path, log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError, ValueError):
            demo: dict[str, Any] = json.loads((data / "demo.json").read_text())
            return demo
        time.sleep(0.05)
    raise AssertionError(f"`oncall up --demo` was not ready: {log.read_text()[-3000:]}")
