"""An ordinary user of this machine, to run what must not need root: who runs the tests, or one that root becomes."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

import executor
from cli.launcher.service_account import ServiceAccount


@dataclass(frozen=True, slots=True)
class OrdinaryUser:
    """Who has no privilege at all: the words that make a command theirs, and this project's Python for them."""

    become: tuple[str, ...]
    python: str
    environment: Mapping[str, str]

    def run(self, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Runs Python with these arguments to its end; `before` are the words of what shall start it."""
        words = [*self.become, *before, self.python, *arguments]
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False, timeout=100)


def ordinary_user(account: ServiceAccount | None, folder: Path) -> OrdinaryUser:
    """Answers `account` where the tests are root's; skips the test where that user cannot read this project."""
    if account is None:
        return OrdinaryUser((), sys.executable, os.environ)
    said = ""
    for user in _ways(account, folder):
        tried = user.run("-c", "import executor.wiring")
        if tried.returncode == 0:
            return user
        said = tried.stderr.strip().rpartition("\n")[2]
    pytest.skip(f"no ordinary user can run this project where it lies: {said}")


def _ways(account: ServiceAccount, folder: Path) -> Iterator[OrdinaryUser]:
    source, packages = Path(executor.__file__).parents[1], sysconfig.get_path("purelib")
    environment = {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PYTHONPATH"] = f"{source}{os.pathsep}{packages}"
    become = ("setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups", "--")
    yield OrdinaryUser(become, sys.executable, environment)
    # A virtual environment may stand on a Python below a home that nobody else may enter: it is shown elsewhere, then.
    shown = folder / "python"
    shown.mkdir()
    show = ("unshare", "--mount", "--", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"', sys.base_prefix)
    program = Path(sys.executable).resolve().relative_to(sys.base_prefix)
    environment = {**environment, "LD_LIBRARY_PATH": str(shown / "lib")}
    yield OrdinaryUser((*show, str(shown), *become), str(shown / program), environment)
