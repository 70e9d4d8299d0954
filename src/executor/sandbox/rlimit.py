"""What one process of a sandbox may use, by rlimits: set by util-linux's `prlimit` on its way to bubblewrap.

From outside, once bubblewrap runs, it would take CAP_SYS_RESOURCE, which containers and hardened hosts do not give even
to root.
"""

from __future__ import annotations

import resource

from kernel.execution.content import ResourceLimits

OPEN_FILES = 1024


def prefix(limits: ResourceLimits, *, count_processes: bool, bound_memory: bool) -> list[str]:
    """Answers the words that bound the command after them, and all that it begets.

    `count_processes` and `bound_memory` where no cgroup does it for the whole tree; memory then holds per process
    (RLIMIT_DATA, for RLIMIT_AS would stop Node.js, which reserves much more than it uses).
    """
    bounds = {
        "core": (resource.RLIMIT_CORE, 0),
        "nofile": (resource.RLIMIT_NOFILE, OPEN_FILES),
        "fsize": (resource.RLIMIT_FSIZE, limits.disk_bytes),
        "memlock": (resource.RLIMIT_MEMLOCK, 0),
        "msgqueue": (resource.RLIMIT_MSGQUEUE, 0),
    }
    if count_processes:
        bounds["nproc"] = (resource.RLIMIT_NPROC, limits.processes)
    if bound_memory:
        bounds["data"] = (resource.RLIMIT_DATA, limits.memory_bytes)
    return ["prlimit", *(f"--{name}={_within_hard_limit(which, value)}" for name, (which, value) in bounds.items())]


def _within_hard_limit(which: int, wanted: int) -> int:
    """Answers what may be asked for without a privilege: a limit that is tighter already stays."""
    _, hard = resource.getrlimit(which)
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
