"""What of /proc a script does not see, or sees but cannot change: it needs none of it, and the kernel guards it thinly.

The list is the one that container engines have come to, and the first process of the sandbox: that one runs as the
script's own user, so its memory could be written, and who rewrites it can undo that the sandbox dies with its executor.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

FIRST_PROCESS = "/proc/1"
HIDDEN_FILES = (
    "cmdline config.gz interrupts kallsyms kcore key-users keys kmsg kpagecgroup kpagecount kpageflags latency_stats"
    " modules mtrr sched_debug slabinfo softirqs timer_list timer_stats vmallocinfo"
)
HIDDEN_FOLDERS = "acpi asound bus driver dynamic_debug fs irq scsi tty"
READ_ONLY = "pressure sys sysrq-trigger"


def masks() -> Iterator[str]:
    """Yields bubblewrap's arguments, to stand after `--proc /proc`. What this machine lacks, it does not get."""
    for path in _present(HIDDEN_FILES):
        yield from ("--ro-bind", "/dev/null", path)
    for folder in (FIRST_PROCESS, *_present(HIDDEN_FOLDERS)):
        yield from ("--perms", "0555", "--size", "4096", "--tmpfs", folder, "--remount-ro", folder)
    for path in _present(READ_ONLY):
        yield from ("--ro-bind", path, path)


def _present(names: str) -> list[str]:
    return [f"/proc/{name}" for name in names.split() if Path("/proc", name).exists()]
