"""Reads a script that lies beside its runbook's file, and nothing that lies elsewhere.

Files may come from somebody's branch and be read by a machine that has more than they should see: a script is shown in
the diff, and whoever sees the runbook sees it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath

GREATEST_SCRIPT_BYTES = 1024 * 1024


def read_script(folder: Path, name: str) -> str:
    """Answers the script's text; ValueError with a sentence where it lies outside `folder` or is no script."""
    wanted = PurePosixPath(name)
    if wanted.is_absolute() or ".." in wanted.parts or "\\" in name or "\0" in name:
        raise ValueError("must be a path below this file's folder, without ..")
    try:
        found = (folder / wanted).resolve(strict=True)
        if not found.is_relative_to(folder.resolve(strict=True)):
            raise ValueError("leads out of this file's folder through a link")
        return _text(found)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        raise ValueError(f"cannot be read: {getattr(error, 'strerror', None) or 'a loop of links'}") from None


def _text(path: Path) -> str:
    # Not followed, not waited for: what was checked is what is read, and nothing that blocks is opened.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("is no file")
        data = file.read(GREATEST_SCRIPT_BYTES + 1)
    if len(data) > GREATEST_SCRIPT_BYTES:
        raise ValueError(f"must have at most {GREATEST_SCRIPT_BYTES:,} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
