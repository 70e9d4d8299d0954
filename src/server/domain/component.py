"""Components of a status page: what their team says of them, and what an audience is shown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from uuid import UUID

from kernel.errors import FailedPrecondition
from server.domain.etag import etag, require_etag
from server.domain.violation import Violations

LONGEST_NAME = 100
LONGEST_DESCRIPTION = 1_000
GREATEST_POSITION = 10_000
MOST_COMPONENTS = 500
"""Of one page, groups among them: each is in every answer about it, with a history of 90 days."""


def page_is_full() -> FailedPrecondition:
    message = (
        f"the page has {MOST_COMPONENTS} components and groups, as many as it may: delete one, or make another page"
    )
    return FailedPrecondition(message, reason="PAGE_FULL")


class ComponentStatus(Enum):
    """How a component is, from best to worst: the order decides what a group is shown as."""

    OPERATIONAL = "OPERATIONAL"
    UNDER_MAINTENANCE = "UNDER_MAINTENANCE"
    DEGRADED_PERFORMANCE = "DEGRADED_PERFORMANCE"
    PARTIAL_OUTAGE = "PARTIAL_OUTAGE"
    MAJOR_OUTAGE = "MAJOR_OUTAGE"


REPORTABLE = tuple(status for status in ComponentStatus if status is not ComponentStatus.UNDER_MAINTENANCE)
"""What a check can find, and what an incident can do; work that is announced is neither."""

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
class ComponentReport:
    """What a check said of a component: it counts until it expires, and then the check's silence does."""

    status: ComponentStatus
    reported_at: datetime
    expires_at: datetime
    status_when_silent: ComponentStatus = ComponentStatus.MAJOR_OUTAGE
    is_silent: bool = False
    """Whether the silence has been noted in the history."""

    def status_at(self, now: datetime) -> ComponentStatus:
        return self.status if now < self.expires_at else self.status_when_silent


@dataclass(frozen=True, slots=True)
class Component:
    """A component as it is kept."""

    id: UUID
    status_page_id: UUID
    content: ComponentContent
    revision: int
    created_at: datetime
    updated_at: datetime
    report: ComponentReport | None = None

    @property
    def etag(self) -> str:
        return etag(self.id, self.revision)

    def require_etag(self, wanted: str) -> None:
        require_etag("component", self.etag, wanted)

    def own_status(self, now: datetime) -> ComponentStatus:
        """Answers the worse of what its team says and what its check does, be that by silence."""
        if self.report is None:
            return self.content.status
        return worst((self.content.status, self.report.status_at(now)))


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


@dataclass(frozen=True, slots=True)
class StatusNow:
    """How a component is shown, and since when."""

    status: ComponentStatus
    since: datetime


def shown(
    components: Collection[Component],
    scope: Collection[UUID] = (),
    statuses: Mapping[UUID, StatusNow] = MappingProxyType({}),
) -> list[ShownComponent]:
    """Answers what an audience with that scope sees, each group directly before its children.

    An empty scope means everything; a group in it stands for its children. A group whose children are seen is seen
    too, and everything about it is computed from those children alone: what is hidden must not shine through.
    `statuses` are the computed ones; what has none is shown as its team says.
    """
    leaves = [c for c in components if not c.content.is_group and _in_scope(c, scope)]
    groups = {c.content.group_id for c in leaves if c.content.group_id}
    roots = [c for c in leaves if c.content.group_id is None]
    roots += [c for c in components if c.content.is_group and (_in_scope(c, scope) or c.id in groups)]
    found: list[ShownComponent] = []
    for position, root in enumerate(_in_order(roots), 1):
        children = [
            _as_shown(child, number, statuses.get(child.id))
            for number, child in enumerate(_in_order([c for c in leaves if c.content.group_id == root.id]), 1)
        ]
        line = _as_shown(root, position, statuses.get(root.id))
        found.append(_group(line, children) if root.content.is_group else line)
        found += children
    return found


def _in_scope(component: Component, scope: Collection[UUID]) -> bool:
    return not scope or component.id in scope or component.content.group_id in scope


def place(component: Component) -> tuple[int, datetime, UUID]:
    """Answers what siblings are sorted by."""
    return component.content.position, component.created_at, component.id


def _in_order(components: Iterable[Component]) -> Sequence[Component]:
    return sorted(components, key=place)


def _group(group: ShownComponent, children: Sequence[ShownComponent]) -> ShownComponent:
    return replace(
        group,
        status=worst(child.status for child in children),
        updated_at=max([group.updated_at, *(child.updated_at for child in children)]),
    )


def _as_shown(component: Component, position: int, now: StatusNow | None) -> ShownComponent:
    content = component.content
    return ShownComponent(
        id=component.id,
        group_id=content.group_id,
        is_group=content.is_group,
        name=content.name,
        description=content.description,
        status=now.status if now else content.status,
        position=position,
        only_show_if_degraded=content.only_show_if_degraded,
        created_at=component.created_at,
        updated_at=max(component.updated_at, now.since) if now else component.updated_at,
    )
