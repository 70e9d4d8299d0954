"""An executor's own folder in a hierarchy of control groups: made, given its controllers, tried, and held by a lock.

The lock tells that the executor lives: it ends with the process, whoever asks sees it, and no other process namespace
or host name can deceive about it, as they can about a process id. Whoever makes or sweeps folders of a place holds the
lock of the folder above meanwhile, so nobody sweeps what has just been made and is not locked yet.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from executor.sandbox.cgroup_kill import remove
from executor.sandbox.hierarchy import PROCESSES_FOLDER, Hierarchy, Place, files_of, write

log = structlog.get_logger()

FOLDER = "oncall"
LOCK_SECONDS = 5.0


@contextmanager
def shared_folder(place: Place) -> Iterator[Path]:
    """Yields the folder of all executors of this user at `place`, alone with it; OSError where it cannot be had."""
    folder = place.base / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)  # whoever can open it can lock it
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _locked(descriptor):
            if time.monotonic() > deadline:
                raise TimeoutError(errno.ETIMEDOUT, "another executor does not end its start", str(folder))
            time.sleep(0.01)
        yield folder
    finally:
        os.close(descriptor)


def make_folder(place: Place, shared: Path, wanted: tuple[str, ...], executor_id: str) -> tuple[Hierarchy, int]:
    """Makes this executor's folder with as many of the controllers as it gets, and answers its lock; OSError else."""
    folder = shared / executor_id
    if place.version == 2:
        wanted = _enable(shared, _delegate(place.base, wanted))
    folder.mkdir(mode=0o700)
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _locked(descriptor)
            if place.version == 2:
                wanted = _enable(folder, wanted)
            held = tuple(
                name for name in wanted if all((folder / file).exists() for file in files_of(place.version, name))
            )
            _try_out(folder)
        except BaseException:
            os.close(descriptor)
            raise
    except BaseException:
        folder.rmdir()
        raise
    return Hierarchy(place.version, held, folder), descriptor


def is_held(folder: Path) -> bool:
    """Whether a living executor holds the lock of its folder; True too where this process may not ask."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        return not _locked(descriptor)
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _delegate(base: Path, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Enables controllers below `base`; a folder that holds processes cannot, so those move into a leaf first."""
    try:
        return _enable(base, wanted)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
    leaf = base / PROCESSES_FOLDER
    leaf.mkdir(exist_ok=True)
    for pid in (base / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            write(leaf / "cgroup.procs", pid)
    return _enable(base, wanted)


def _enable(folder: Path, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Enables controllers for the folders below, one by one, and answers those it got: one that cannot takes no other
    with it (the cpu controller is refused while real-time processes run)."""
    file = folder / "cgroup.subtree_control"
    enabled = file.read_text().split()
    held = []
    for name in wanted:
        try:
            if name not in enabled:
                write(file, f"+{name}")
        except OSError as error:
            if error.errno in (errno.EBUSY, errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            log.info("cgroup_controller_refused", controller=name, folder=str(folder), error=error.strerror)
            continue
        held.append(name)
    return tuple(held)


def _try_out(folder: Path) -> None:
    """Moves a process in and lets it end: who may make folders may still not be allowed to fill them."""
    trial = folder / "trial"
    trial.mkdir()
    try:
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            write(trial / "cgroup.procs", str(process.pid))
    finally:
        remove(trial, within=1.0)  # the kernel may be late to see that nobody is left
