"""What one process of a sandbox may use, by rlimits: set in the child, between fork and bubblewrap.

From outside (prlimit) it would take CAP_SYS_RESOURCE, which containers and hardened hosts do not give even to root.
"""

from __future__ import annotations

import resource
from collections.abc import Mapping

from kernel.execution.content import ResourceLimits

OPEN_FILES = 1024


def rules(limits: ResourceLimits, *, count_processes: bool, bound_memory: bool) -> Mapping[int, int]:
    """Answers the rlimits of a sandbox.

    `count_processes` and `bound_memory` where no cgroup does it for the whole tree; memory then holds per process
    (RLIMIT_DATA, for RLIMIT_AS would stop Node.js, which reserves much more than it uses).
    """
    rules = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_FSIZE: limits.disk_bytes,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    if count_processes:
        rules[resource.RLIMIT_NPROC] = limits.processes
    if bound_memory:
        rules[resource.RLIMIT_DATA] = limits.memory_bytes
    return rules


def apply(rules: Mapping[int, int]) -> None:
    """Sets them for this process and its children; a limit that is tighter already stays."""
    for which, wanted in rules.items():
        _, hard = resource.getrlimit(which)
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (value, value))
