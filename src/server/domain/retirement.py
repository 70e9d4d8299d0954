"""Taking a runbook out of service, and back into it. What of it was approved stays approved all the while."""

from __future__ import annotations

from datetime import datetime

from server.domain.runbook import (
    APPROVED,
    ARCHIVED,
    DEPRECATED,
    DRAFT,
    MOVES,
    PENDING_REVIEW,
    Runbook,
    RunbookStatus,
    illegal_transition,
)


def deprecate(runbook: Runbook, *, at: datetime) -> Runbook:
    """Marks a runbook as one to avoid; it still runs, with a warning."""
    return _moved(runbook, DEPRECATED, at)


def archive(runbook: Runbook, *, at: datetime) -> Runbook:
    """Takes a runbook out of service from wherever it stands; the same runbook where it is archived already."""
    return runbook if runbook.status is ARCHIVED else _moved(runbook, ARCHIVED, at)


def restore(runbook: Runbook, *, waits: bool, at: datetime) -> Runbook:
    """Brings an archived or deprecated runbook back to where its versions put it.

    That it was deprecated before it was archived is not restored: whoever brings it back means it to be used. `waits`
    tells whether a version of it waits for review.
    """
    home = _home(runbook, waits)
    if runbook.status not in {ARCHIVED, DEPRECATED}:
        raise illegal_transition("the runbook", runbook.status, home)
    return _moved(runbook, home, at)


def _home(runbook: Runbook, waits: bool) -> RunbookStatus:
    if runbook.current_version is not None:
        return APPROVED
    return PENDING_REVIEW if waits else DRAFT


def _moved(runbook: Runbook, to: RunbookStatus, at: datetime) -> Runbook:
    if to not in MOVES[runbook.status]:
        raise illegal_transition("the runbook", runbook.status, to)
    return runbook.changed(at, status=to)
