"""The memory of a process that has started."""

from __future__ import annotations

import gc


def keep_what_started() -> None:
    """Lets the collector never look again at what stands when a process has started, for nearly all of it stays.

    There are some 150,000 objects by then: to go through them takes longer than an execution, and would come between
    two of its steps.
    """
    gc.collect()
    gc.freeze()
