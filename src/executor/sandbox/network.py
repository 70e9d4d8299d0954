"""A network with nothing in it: one interface, the loopback, and that one down.

Bubblewrap sets the loopback up in a network namespace that it makes. So util-linux's `unshare` makes the namespace on
the way to it: as root directly, otherwise in a user namespace of its own, where the machine lets it. Where it does not,
bubblewrap makes it, and the loopback is up: a script then reaches itself and nobody else.
"""

from __future__ import annotations

import os
import subprocess
from functools import cache

TRIAL_SECONDS = 5.0


@cache
def prefix() -> tuple[str, ...]:
    """Answers the words before a command that give it an empty network; none where that cannot be had."""
    words = (
        ("unshare", "--net", "--") if os.geteuid() == 0 else ("unshare", "--user", "--map-current-user", "--net", "--")
    )
    nested = ("bwrap", "--unshare-user", "--ro-bind", "/", "/", "true")
    try:
        trial = subprocess.run([*words, *nested], capture_output=True, timeout=TRIAL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return words if trial.returncode == 0 else ()


def host_prefix() -> tuple[str, ...]:
    """Answers the words before a command that has the machine's network; for an ordinary user a namespace as above.

    There its processes are counted apart. Without, RLIMIT_NPROC bounds all that the user runs on this machine, and who
    runs more already could begin nothing.
    """
    if os.geteuid() == 0 or not prefix():
        return ()
    return ("unshare", "--user", "--map-current-user", "--")
