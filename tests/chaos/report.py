"""Tells what came of a run: a table for people, JSON for programs."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter

from rich.console import Console
from rich.table import Table

from tests.chaos.campaign import Outcome

MIB = 1024 * 1024


def show(outcome: Outcome, console: Console) -> None:
    table = Table(title=f"Chaos, seed {outcome.seed}", show_header=False)
    for name, value in rows(outcome):
        table.add_row(name, value)
    console.print(table)
    for violation in outcome.violations:
        console.print(f"VIOLATED: {violation}", style="bold red", markup=False, highlight=False)
    if not outcome.violations:
        console.print("Nothing was violated.", style="bold green")


def rows(outcome: Outcome) -> list[tuple[str, str]]:
    return [
        ("executions asked for", str(outcome.asked)),
        ("accepted, and their clients know", str(outcome.accepted)),
        ("exist, acknowledgement lost", str(outcome.unacknowledged)),
        ("never made: the client gave up first", str(outcome.never_made)),
        ("Execute tried again", str(outcome.repeated)),
        ("ended", _counted(outcome.by_status)),
        ("attempts", f"{outcome.attempts}, of them lost with their executor {outcome.lost_attempts}"),
        ("marks left outside", str(outcome.marks)),
        ("kill -9", f"{outcome.kills.total()}: {_counted(outcome.kills)}"),
        ("executors frozen past their lease", str(outcome.freezes)),
        ("starts refused while a store was away", str(outcome.refused_starts)),
        ("calls told to try again", str(outcome.unavailable)),
        ("events replayed", str(outcome.events)),
        ("bytes verified", f"{outcome.verified_bytes} ({outcome.verified_bytes / MIB:.1f} MiB)"),
        ("live logs compared with the replay", str(outcome.logs_compared)),
        ("duration", f"{outcome.seconds:.0f} s"),
        ("violations", str(len(outcome.violations))),
    ]


def as_json(outcome: Outcome) -> str:
    fields = {field.name: getattr(outcome, field.name) for field in dataclasses.fields(outcome)}
    return json.dumps(fields, indent=2, sort_keys=True)


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {times}" for name, times in sorted(counter.items()))
