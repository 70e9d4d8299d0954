"""The one folder in which an installation keeps everything that lasts, and the lock that keeps it to one launcher."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.launcher.refusal import CannotStart

LARGE_LOG = 10 * 1024 * 1024
DEMO_FILE = "demo.json"
"""Where the demo says what it made; it is there only while all of it can be used."""


class DataFolder:
    """Paths in the folder, private files, and the lock; nothing here knows what runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        self.ready = path / "ready"
        self._lock_file: int | None = None

    def open(self) -> None:
        """Makes the folder where it is missing and locks it until this process ends, however it ends.

        Raises CannotStart with a sentence for people.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.logs, self.ready):
                folder.mkdir(mode=0o700, exist_ok=True)
            self._lock_file = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CannotStart(
                f"cannot start: the data folder {self.path} cannot be written ({error.strerror}); "
                "choose another with ONCALL_DATA_DIR"
            ) from error
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotStart(
                f"cannot start: process {self.holder()} already runs on the data folder {self.path}; "
                "stop it or choose another with ONCALL_DATA_DIR"
            ) from error
        os.truncate(self._lock_file, 0)
        os.pwrite(self._lock_file, str(os.getpid()).encode(), 0)
        for left_over in self.ready.iterdir():
            left_over.unlink()

    def holder(self) -> str:
        """Answers the process id of the launcher that holds the lock, or held it last."""
        return (self.path / "lock").read_text().strip() or "unknown"

    def is_locked(self) -> bool:
        """Whether a launcher runs on this folder now."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def log(self, name: str) -> Path:
        """Answers the log of a process; call before it starts, for a large one is put aside then."""
        path = self.logs / f"{name}.log"
        if path.exists() and path.stat().st_size > LARGE_LOG:
            path.replace(path.with_suffix(".log.1"))
        return path

    def master_key(self) -> str:
        """Answers the key of this installation, made at its first start. Who loses it loses the stored secrets."""
        path = self.path / "master.key"
        if not path.exists():
            write_private(path, base64.urlsafe_b64encode(secrets.token_bytes(32)).decode() + "\n")
        return path.read_text().strip()

    def write_json(self, name: str, content: Mapping[str, Any]) -> Path:
        return write_private(self.path / name, json.dumps(dict(content), indent=2, ensure_ascii=False) + "\n")

    def read_json(self, name: str) -> dict[str, Any]:
        """Answers what was written; empty where nothing was, or nothing that can be read."""
        try:
            content = json.loads((self.path / name).read_text())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)


def write_private(path: Path, text: str) -> Path:
    """Writes a file that only its owner may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)  # it may hold a key
        raise
    return path
