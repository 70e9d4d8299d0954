"""What a run came to, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Outcome:
    """What came of a run."""

    seed: int
    seconds: float = 0.0
    storm_seconds: float = 0.0
    violations: list[str] = field(default_factory=list)
    violated: int = 0
    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    refused_after: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    unconfirmed: int = 0
    longest_change_seconds: float = 0.0
    streams: int = 0
    streams_cut: int = 0
    longest_cut_seconds: float = 0.0
    events: int = 0
    unanswered: int = 0
    given_up: int = 0
    stale: int = 0
    stale_in_outages: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    waited_for_frozen: list[float] = field(default_factory=list)
    accesses_answered: int = 0
    accesses_recorded: int = 0
    tokens_counted: int = 0
    tokens_off: int = 0
    """Tokens whose count is not what their readers counted, though within what a killed gateway explains."""
    accesses_lost: int = 0
    """What killed gateways had counted and not sent."""
    reload_requests: int = 0
    reload_questions: int = 0
    reload_most: int = 0
