"""Where the embedded services have their Unix sockets: in the data folder, or beside it where its path is too long.

A socket's path must fit into 108 bytes, and as root the folder must be reachable for the user PostgreSQL runs as.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from cli.launcher.refusal import CannotStart
from cli.launcher.service_account import ServiceAccount

LONGEST_PATH = 100  # of 107 that the kernel takes
_LONGEST_NAME = ".s.PGSQL.5432.lock"


def open_socket_folder(data: Path, account: ServiceAccount | None) -> Path:
    """Answers an empty folder that only its owner (and root) may enter; the same one for the same data folder.

    The caller holds the lock of the data folder, so that whatever lies there is left over from a killed launcher.
    """
    inside = data / "run"
    if _fits(inside) and _reachable(data, account):
        folder = inside
    else:
        name = "oncall-" + hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:16]
        folder = _base() / name
    remove_socket_folder(folder)
    folder.mkdir(mode=0o700)
    folder.chmod(0o700)
    if account:
        account.owns(folder)
    return folder


def remove_socket_folder(folder: Path) -> None:
    """Removes the folder and what is in it; a folder of somebody else is an error, never removed."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode) or (os.geteuid() != 0 and found.st_uid != os.geteuid()):
        raise CannotStart(f"cannot start: {folder} is in the way and belongs to somebody else")
    shutil.rmtree(folder)


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / _LONGEST_NAME)) < LONGEST_PATH


def _reachable(data: Path, account: ServiceAccount | None) -> bool:
    return account is None or account.can(["test", "-x", data])


def _base() -> Path:
    candidates = ["/run"] if os.geteuid() == 0 else [os.environ.get("XDG_RUNTIME_DIR", "")]
    for candidate in candidates:
        if (
            candidate
            and Path(candidate).is_dir()
            and os.access(candidate, os.W_OK)
            and _fits(Path(candidate) / ("x" * 23))
        ):
            return Path(candidate)
    return Path(tempfile.gettempdir()) if _fits(Path(tempfile.gettempdir()) / ("x" * 23)) else Path("/tmp")  # noqa: S108 - the folder made in it is private
