"""Components of a status page: what their team says of them, and what an audience is shown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from uuid import UUID

from server.domain.etag import etag
from server.domain.violation import Violations

LONGEST_NAME = 100
LONGEST_DESCRIPTION = 1_000
GREATEST_POSITION = 10_000


class ComponentStatus(Enum):
    """How a component is, from best to worst: the order decides what a group is shown as."""

    OPERATIONAL = "OPERATIONAL"
    UNDER_MAINTENANCE = "UNDER_MAINTENANCE"
    DEGRADED_PERFORMANCE = "DEGRADED_PERFORMANCE"
    PARTIAL_OUTAGE = "PARTIAL_OUTAGE"
    MAJOR_OUTAGE = "MAJOR_OUTAGE"


SEVERITY = {status: rank for rank, status in enumerate(ComponentStatus)}


def worst(statuses: Iterable[ComponentStatus]) -> ComponentStatus:
    """Answers the worst of `statuses`; OPERATIONAL where there is none."""
    return max(statuses, key=SEVERITY.__getitem__, default=ComponentStatus.OPERATIONAL)


@dataclass(frozen=True, slots=True)
class ComponentContent:
    """What a team may say of a component."""

    name: str
    description: str = ""
    group_id: UUID | None = None
    is_group: bool = False
    status: ComponentStatus = ComponentStatus.OPERATIONAL
    position: int = 0
    only_show_if_degraded: bool = False

    def check(self, violations: Violations) -> None:
        violations.text("component.name", self.name, shortest=1, longest=LONGEST_NAME)
        violations.text("component.description", self.description, longest=LONGEST_DESCRIPTION)
        violations.number("component.position", self.position, least=0, greatest=GREATEST_POSITION)
        if self.is_group and self.group_id is not None:
            violations.add("component.group_id", "must be empty for a group")


@dataclass(frozen=True, slots=True)
class Component:
    """A component as it is kept."""

    id: UUID
    status_page_id: UUID
    content: ComponentContent
    revision: int
    created_at: datetime
    updated_at: datetime

    @property
    def etag(self) -> str:
        return etag(self.id, self.revision)


@dataclass(frozen=True, slots=True)
class ShownComponent:
    """A component as one audience sees it: `status` is computed, `position` counts 1, 2, 3 … among its siblings."""

    id: UUID
    group_id: UUID | None
    is_group: bool
    name: str
    description: str
    status: ComponentStatus
    position: int
    only_show_if_degraded: bool
    created_at: datetime
    updated_at: datetime


def shown(components: Collection[Component], scope: Collection[UUID] = ()) -> list[ShownComponent]:
    """Answers what an audience with that scope sees, each group directly before its children.

    An empty scope means everything; a group in it stands for its children. A group whose children are seen is seen
    too, and everything about it is computed from those children alone: what is hidden must not shine through.
    """
    leaves = [c for c in components if not c.content.is_group and _in_scope(c, scope)]
    groups = {c.content.group_id for c in leaves if c.content.group_id}
    roots = [c for c in leaves if c.content.group_id is None]
    roots += [c for c in components if c.content.is_group and (_in_scope(c, scope) or c.id in groups)]
    found: list[ShownComponent] = []
    for position, root in enumerate(_in_order(roots), 1):
        children = [
            _as_shown(child, place)
            for place, child in enumerate(_in_order([c for c in leaves if c.content.group_id == root.id]), 1)
        ]
        found.append(
            _group(_as_shown(root, position), children) if root.content.is_group else _as_shown(root, position)
        )
        found += children
    return found


def _in_scope(component: Component, scope: Collection[UUID]) -> bool:
    return not scope or component.id in scope or component.content.group_id in scope


def _in_order(components: Iterable[Component]) -> Sequence[Component]:
    return sorted(components, key=lambda c: (c.content.position, c.created_at, c.id))


def _group(group: ShownComponent, children: Sequence[ShownComponent]) -> ShownComponent:
    return replace(
        group,
        status=worst(child.status for child in children),
        updated_at=max([group.updated_at, *(child.updated_at for child in children)]),
    )


def _as_shown(component: Component, position: int) -> ShownComponent:
    content = component.content
    return ShownComponent(
        id=component.id,
        group_id=content.group_id,
        is_group=content.is_group,
        name=content.name,
        description=content.description,
        status=content.status,
        position=position,
        only_show_if_degraded=content.only_show_if_degraded,
        created_at=component.created_at,
        updated_at=component.updated_at,
    )
