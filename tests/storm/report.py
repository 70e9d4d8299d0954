"""Tells what came of a run."""

from __future__ import annotations

from rich.console import Console

from tests.reporting import counted, show_table
from tests.storm.outcome import Outcome


def show(outcome: Outcome, console: Console) -> None:
    show_table(f"Storm, seed {outcome.seed}", rows(outcome), outcome.violations, console)


def rows(outcome: Outcome) -> list[tuple[str, str]]:
    rate = outcome.requests / max(outcome.storm_seconds, 0.001)
    waited = ", ".join(f"{seconds:.1f}" for seconds in outcome.waited_for_frozen)
    return [
        ("requests", f"{outcome.requests} in {outcome.storm_seconds:.0f} s, {rate:.0f} a second"),
        ("answers", counted(outcome.statuses)),
        ("refused when nothing else was allowed", str(outcome.refused_after)),
        ("connections broken under a request", str(outcome.unanswered)),
        ("changes acknowledged", f"{outcome.changes.total()}: {counted(outcome.changes)}"),
        ("calls repeated until acknowledged", str(outcome.unconfirmed)),
        ("the longest change took", f"{outcome.longest_change_seconds:.1f} s"),
        ("event streams", f"{outcome.streams}, cut {outcome.streams_cut}, events {outcome.events}"),
        ("the longest cut took", f"{outcome.longest_cut_seconds:.1f} s"),
        ("struck", f"{outcome.struck.total()}: {counted(outcome.struck)}"),
        ("revocations waited for a frozen gateway", f"{waited} s"),
        ("answers given up, the machine was too slow", str(outcome.given_up)),
        ("pages shown with their age", f"{outcome.stale}, with the server killed {outcome.stale_in_outages}"),
        ("accesses counted by readers", str(outcome.accesses_answered)),
        ("accesses recorded", f"{outcome.accesses_recorded}, for {outcome.tokens_counted} tokens"),
        ("lost with killed gateways", f"{outcome.accesses_lost} accesses, of {outcome.tokens_off} tokens"),
        ("reload storm", f"{outcome.reload_requests} requests, {outcome.reload_questions} computed"),
        ("duration", f"{outcome.seconds:.0f} s"),
        ("violations", str(outcome.violated)),
    ]
