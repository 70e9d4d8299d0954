"""How the executor comes to the file that a script may leave, once nobody is left who could change it.

The file lies on a small file system of the sandbox's own, which no path of the machine leads to and which would be gone
with the last process. So the executor takes hold of its root before the script begins, and looks there when all is
over. Everything below is the script's own work: a link, a pipe, a folder or megabytes of nothing may stand in the
file's place. It is one name in one folder, never followed, never waited for, and read only so far.
"""

from __future__ import annotations

import asyncio
import os
import stat

from executor.sandbox.command import OUTPUT_FOLDER, OUTPUT_NAME

_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FEW_FILES = 100


class NoFile(Exception):
    """Something stands there that cannot be read; the message is for people and tells nothing of its content."""


class OutputFolder:
    """The root of that file system, held; `close` lets go of it, and of all that is in it."""

    def __init__(self, pid: int) -> None:
        """`pid` is a process of a sandbox that stands and whose script has not begun. OSError where it may not."""
        self._fd = os.open(f"/proc/{pid}/root{OUTPUT_FOLDER}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def read(self, limit: int) -> bytes | None:
        """Answers what the script left, or `limit` and one bytes of it; None where it left nothing.

        Only when all its processes are gone. Blocks for a few microseconds.
        """
        try:
            descriptor = os.open(OUTPUT_NAME, _LOOK, dir_fd=self._fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise NoFile(f"it cannot be read: {error.strerror}") from None
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise NoFile("it is not a regular file")
            return os.pread(descriptor, limit + 1, 0)  # of a file in memory all of it comes at once
        except OSError as error:
            raise NoFile(f"it cannot be read: {error.strerror}") from None
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Lets go; a second time it does nothing. A million files take the kernel seconds: then not on this thread."""
        if self._fd < 0:
            return
        files = os.fstatvfs(self._fd)
        if files.f_files - files.f_ffree <= _FEW_FILES:
            os.close(self._fd)
        else:
            asyncio.get_running_loop().run_in_executor(None, os.close, self._fd)
        self._fd = -1
