"""Whether what happened to an incident still starts a workflow by the time somebody looks (decision 0039).

That is within milliseconds, unless `jobs` was away. By then people may have acted, and nobody expects a restart at four
for what was over at three.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from server.domain.incident import OPEN
from server.domain.workflow.definition import Json

EVENTS_WITHIN = timedelta(minutes=15)
"""How old what happened may be unless settings say otherwise: longer than a restart, or a failover, of the stores."""
NO_MORE = "its condition held when this happened, and does not hold for the incident as it is now"


@dataclass(frozen=True, slots=True)
class NotStarted:
    """Why a workflow did not start that was meant; `told`: whether its team is to hear of it, who may have to act."""

    reason: str
    told: bool = True


def overtaken(then: Mapping[str, Json], now: Mapping[str, Json] | None) -> NotStarted | None:
    """Says where the incident has been resolved since, or opened again: what happened is no longer so.

    `then` and `now` are `incident_facts`. Nobody is told: who resolved the incident, or opened it again, knows.
    """
    was_open, is_open = then.get("status") in OPEN, now is not None and now.get("status") in OPEN
    if was_open and not is_open:
        return NotStarted("the incident is over since", told=False)
    if is_open and not was_open:
        return NotStarted("the incident was opened again since", told=False)
    return None


def too_old(age: timedelta, within: timedelta | None) -> NotStarted | None:
    """Says where nobody looked for longer than `within`; None: never."""
    if within is None or age <= within:
        return None
    minutes = int(age.total_seconds() // 60)
    return NotStarted(f"it happened {minutes:,} minutes before anybody looked; run it by hand if it is still wanted")
