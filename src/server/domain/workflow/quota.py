"""How many workflows a team may have, and how many of its runs may go on at once, so that none fills the platform."""

from __future__ import annotations

from kernel.errors import ResourceExhausted

MOST_WORKFLOWS = 500
"""Of one team: each event of an incident asks all of them that it may start."""
MOST_ACTIVE_RUNS = 5_000
"""Of one team: more than any storm that was tried has at once, and what `jobs` moves within some minutes."""
RETRY_SECONDS = 60.0
"""After which runs of a busy team may have ended."""


def require_room_for_workflow(workflows: int) -> None:
    """Refuses one more, for a team that has so many."""
    if workflows >= MOST_WORKFLOWS:
        raise ResourceExhausted(
            f"the team has {MOST_WORKFLOWS:,} workflows, as many as it may: delete one first",
            reason="TOO_MANY_WORKFLOWS",
            metadata={"limit": str(MOST_WORKFLOWS)},
        )


def require_room_for_run(active_runs: int) -> None:
    """Refuses one more, for a team of which so many go on."""
    if active_runs >= MOST_ACTIVE_RUNS:
        raise ResourceExhausted(
            f"{MOST_ACTIVE_RUNS:,} runs of the team go on, as many as may at once: cancel some, or wait until they end",
            retry_after_seconds=RETRY_SECONDS,
            reason="TOO_MANY_RUNS",
            metadata={"limit": str(MOST_ACTIVE_RUNS)},
        )
