"""What executors left behind that are no longer alive: found at the start of the next one, killed and removed.

Nothing is touched of an executor that lives, whoever's it is: by its lock, and by its name besides.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import structlog

from executor.identity import is_alive
from executor.sandbox.cgroup_kill import is_empty, kill_all, remove
from executor.sandbox.delegation import is_held

log = structlog.get_logger()

EMPTYING_SECONDS = 2.0


def sweep(shared: Path) -> None:
    """Kills what runs below the folders of dead executors and removes these, however deep; `shared` is locked."""
    for folder in shared.iterdir():
        if not folder.is_dir() or is_held(folder) or is_alive(folder.name):
            continue
        # What is deeper goes first, for a folder with folders in it cannot be removed.
        inside = [Path(path) for path, _, _ in os.walk(folder, topdown=False)]
        try:
            for one in inside:
                kill_all(one)
            _await_emptiness(inside)
            for one in inside:
                remove(one, within=EMPTYING_SECONDS)
        except OSError as error:
            log.warning("cgroup_not_swept", folder=error.filename or str(folder), error=error.strerror)
        else:
            log.info("cgroup_swept", folder=str(folder), sandboxes=len(inside) - 1)


def _await_emptiness(folders: list[Path]) -> None:
    deadline = time.monotonic() + EMPTYING_SECONDS
    while not all(is_empty(folder) for folder in folders) and time.monotonic() < deadline:
        for folder in folders:
            kill_all(folder)
        time.sleep(0.01)
