"""A naive model of runs: everything is found anew from the whole history, by what the rules say, and nothing is kept.

The history is a list of looks, each with its time, what was heard by then and what was asked for, and for each node a
plan of how it goes once it has begun. Nothing here shares code with the engine but the values that both speak in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from server.domain.workflow.definition import Definition, Join, On
from server.domain.workflow.run import Ended


@dataclass(frozen=True)
class Plan:
    """How a node goes once begun: it ends by itself at once (`at_once`), or is active until it is heard of.

    `due` and `limit` are seconds after its beginning: of a delay or an expiry, and of its own timeout.
    """

    at_once: bool | None = None
    result: bool = True
    due: int | None = None
    limit: int | None = None


@dataclass(frozen=True)
class Look:
    """One call of the engine: when, what was said of whom, and what was asked of the run by then."""

    at: int
    heard: Mapping[str, Ended] = field(default_factory=dict)
    cancel: bool = False
    stop: bool = False


@dataclass(frozen=True)
class Fate:
    """How a node ended, and in which look."""

    status: str
    look: int
    result: bool | None = None


class Model:
    """Answers how a run stands after any look of its history."""

    def __init__(self, definition: Definition, plans: Mapping[str, Plan], looks: list[Look]) -> None:
        self.definition, self.plans, self.looks = definition, plans, looks
        self.expires = {node.name for node in definition.nodes if type(node.work).__name__ == "ApprovalWork"}
        self.fate = cache(self._fate)
        self.begun = cache(self._begun)

    def end(self) -> tuple[int, str] | None:
        """Answers the look in which the run ended, and how."""
        for number, look in enumerate(self.looks):
            fates = [self.fate(node.name) for node in self.definition.nodes]
            if all(fate is not None and fate.look <= number for fate in fates):
                return number, "FAILED" if any(
                    self._counts_as_failure(node.name) for node in self.definition.nodes
                ) else ("COMPLETED")
            for asked, status in (
                (look.cancel, "CANCELLED"),
                (look.stop, "STOPPED"),
                (look.at >= self.definition.timeout_seconds, "TIMEOUT"),
            ):
                if asked:
                    return number, status
        return None

    def stands(self) -> tuple[str, dict[str, str], set[str]]:
        """Answers the run's status, the nodes', and which begin after the last look."""
        last, end = len(self.looks) - 1, self.end()
        names = [node.name for node in self.definition.nodes]
        until = end[0] if end else last
        statuses = {}
        for name in names:
            fate, begun = self.fate(name), self.begun(name)
            if fate and fate.look <= until:
                statuses[name] = fate.status
            elif end:
                statuses[name] = "CANCELLED"
            else:
                statuses[name] = "ACTIVE" if begun is not None and begun < last else "PENDING"
        begins = set() if end else {name for name in names if self.begun(name) == last}
        return (end[1] if end else "RUNNING"), statuses, begins

    def _begun(self, name: str) -> int | None:
        """Answers the look after which the node begins, if the run lets it."""
        into = [edge for edge in self.definition.edges if edge.target == name]
        fates = [self.fate(edge.source) for edge in into]
        if any(fate is None for fate in fates):
            return None
        taken = [_leads(edge.on, fate) for edge, fate in zip(into, fates, strict=True) if fate]
        wanted = len(taken) if self.definition.node(name).join is Join.ALL else 1
        if into and sum(taken) < wanted:
            return None
        return max((fate.look for fate in fates if fate), default=0)

    def _fate(self, name: str) -> Fate | None:
        """Answers how the node ends if nothing cuts its run off."""
        begun = self.begun(name)
        if begun is None:
            into = [self.fate(edge.source) for edge in self.definition.edges if edge.target == name]
            decided = all(fate is not None for fate in into)
            return Fate("SKIPPED", max(fate.look for fate in into if fate)) if decided else None
        plan, start = self.plans[name], self.looks[begun].at
        if plan.at_once is not None:  # stored between this look and the next
            ended = Fate("SUCCEEDED" if plan.at_once else "FAILED", begun + 1, plan.result)
            return ended if begun + 1 < len(self.looks) else None
        for number in range(begun + 1, len(self.looks)):
            if how := self._ends(name, plan, start, self.looks[number]):
                return Fate(how, number, True)
        return None

    def _ends(self, name: str, plan: Plan, start: int, look: Look) -> str:
        if name in look.heard:
            return "SUCCEEDED" if look.heard[name].succeeded else "FAILED"
        total = self.definition.timeout_seconds
        due = start + plan.due if plan.due is not None else None
        limit = start + plan.limit if plan.limit is not None else None
        in_time = due is not None and due <= total and (limit is None or due <= limit)
        if due is not None and in_time and look.at >= due:
            return "FAILED" if name in self.expires else "SUCCEEDED"
        if limit is not None and limit < total and look.at >= limit:
            return "TIMEOUT"
        return ""

    def _counts_as_failure(self, name: str) -> bool:
        fate = self.fate(name)
        leads_on = any(edge.source == name and edge.on in (On.FAILURE, On.ALWAYS) for edge in self.definition.edges)
        return fate is not None and fate.status in ("FAILED", "TIMEOUT") and not leads_on


def _leads(on: On, fate: Fate) -> bool:
    good, bad = fate.status == "SUCCEEDED", fate.status in ("FAILED", "TIMEOUT")
    ways = {
        On.SUCCESS: good,
        On.FAILURE: bad,
        On.ALWAYS: good or bad,
        On.TRUE: good and fate.result is True,
        On.FALSE: good and fate.result is False,
    }
    return ways[on]
