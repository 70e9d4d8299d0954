"""The system user that PostgreSQL runs as where the launcher is root, which PostgreSQL refuses to be."""

from __future__ import annotations

import os
import pwd
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.launcher.refusal import CannotStart

NAME = "oncall"
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A user without a shell, a home or a password."""

    uid: int
    gid: int

    def can(self, command: Sequence[str | Path]) -> bool:
        """Whether the user can run `command`: asking the kernel is shorter than reading every parent's mode."""
        try:
            done = subprocess.run(
                [str(part) for part in command],
                user=self.uid,
                group=self.gid,
                extra_groups=[],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
        except OSError:
            return False
        return done.returncode == 0

    def owns(self, folder: Path) -> None:
        """Gives the folder, and only the folder, to the user."""
        os.chown(folder, self.uid, self.gid)


def service_account() -> ServiceAccount | None:
    """Answers the account, created where it is missing; None where the launcher is not root and needs none.

    Raises CannotStart with a sentence for people where it cannot be created.
    """
    if os.geteuid() != 0:
        return None
    problem = ""
    for _ in range(_ATTEMPTS):
        try:
            entry = pwd.getpwnam(NAME)
        except KeyError:
            problem = _create()
            time.sleep(0.1 if problem else 0)  # somebody else may hold the lock of /etc/passwd
            continue
        return ServiceAccount(entry.pw_uid, entry.pw_gid)
    raise CannotStart(
        f"cannot start PostgreSQL: it refuses to run as root, and the user {NAME} cannot be created: {problem}"
    )


def _create() -> str:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "useradd is not installed"
    return done.stderr.strip()
