"""Who is in a process namespace, where no cgroup can be asked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


def pids_in_namespace_of(pid: int) -> Iterator[int]:
    """Yields the processes that share a process namespace with `pid`, as this process numbers them."""
    with contextlib.suppress(OSError):
        namespace = Path(f"/proc/{pid}/ns/pid").readlink()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if (entry / "ns/pid").readlink() == namespace:
                        yield int(entry.name)
