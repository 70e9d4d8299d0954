"""How a component is, as people type it and read it, and what an incident does to one: `API=partial-outage`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Annotated

import typer

from cli.failure import fail
from cli.visible import visible
from oncall.v1 import status_page_pb2 as pb
from oncall.v1.incident_pb2 import ComponentImpact


class Status(StrEnum):
    OPERATIONAL = "operational"
    DEGRADED_PERFORMANCE = "degraded-performance"
    PARTIAL_OUTAGE = "partial-outage"
    MAJOR_OUTAGE = "major-outage"
    UNDER_MAINTENANCE = "under-maintenance"

    def to_pb(self) -> pb.ComponentStatus.ValueType:
        return pb.ComponentStatus.Value(f"COMPONENT_STATUS_{self.name}")


ImpactOption = Annotated[
    list[str] | None,
    typer.Option(
        "--impact",
        "-i",
        metavar="COMPONENT=STATUS",
        help="What it does to a component: degraded-performance, partial-outage, major-outage, or operational for not "
        "affected any more. Repeat it for more components.",
    ),
]


def words(status: pb.ComponentStatus.ValueType) -> str:
    """Answers a status as words: PARTIAL OUTAGE."""
    if status not in pb.ComponentStatus.values():
        return str(status)  # of a newer server
    return pb.ComponentStatus.Name(status).removeprefix("COMPONENT_STATUS_").replace("_", " ")


def read_impacts(texts: Iterable[str], component_id: Callable[[str], str]) -> list[ComponentImpact]:
    """Reads impacts; `component_id` answers the id of a component by what it is called."""
    named = [_split(text) for text in texts]  # what is typed wrongly is said before anybody is asked
    return [ComponentImpact(component_id=component_id(name), status=status.to_pb()) for name, status in named]


def _split(text: str) -> tuple[str, Status]:
    name, equals, wanted = text.rpartition("=")
    if not equals or not name or wanted not in list(Status):
        known = ", ".join(status for status in Status if status is not Status.UNDER_MAINTENANCE)
        fail(f"--impact: {visible(text)!r} is not COMPONENT=STATUS, with a status of {known}")
    return name, Status(wanted)
