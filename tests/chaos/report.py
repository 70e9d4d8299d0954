"""Tells what came of a run."""

from __future__ import annotations

from rich.console import Console

from tests.chaos.campaign import Outcome
from tests.reporting import counted, show_table

MIB = 1024 * 1024


def show(outcome: Outcome, console: Console) -> None:
    show_table(f"Chaos, seed {outcome.seed}", rows(outcome), outcome.violations, console)


def rows(outcome: Outcome) -> list[tuple[str, str]]:
    return [
        ("executions asked for", str(outcome.asked)),
        ("accepted, and their clients know", str(outcome.accepted)),
        ("exist, acknowledgement lost", str(outcome.unacknowledged)),
        ("never made: the client gave up first", str(outcome.never_made)),
        ("Execute tried again", str(outcome.repeated)),
        ("ended", counted(outcome.by_status)),
        ("attempts", f"{outcome.attempts}, of them lost with their executor {outcome.lost_attempts}"),
        ("marks left outside", str(outcome.marks)),
        ("kill -9", f"{outcome.kills.total()}: {counted(outcome.kills)}"),
        ("executors frozen past their lease", str(outcome.freezes)),
        ("starts refused while a store was away", str(outcome.refused_starts)),
        ("calls told to try again", str(outcome.unavailable)),
        ("events replayed", str(outcome.events)),
        ("bytes verified", f"{outcome.verified_bytes} ({outcome.verified_bytes / MIB:.1f} MiB)"),
        ("live logs compared with the replay", str(outcome.logs_compared)),
        ("duration", f"{outcome.seconds:.0f} s"),
        ("violations", str(len(outcome.violations))),
    ]
