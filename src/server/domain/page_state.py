"""How the components of a page are just now: all that decides it, and the one rule that does.

A component's shown status is the worst of its own status and of what open incidents do to it. Its own status is the
worse of what its team says and what its check reported, or of the check's silence; a maintenance that is under way
replaces it. So the status of a component is the same for everybody who sees it; what is a matter of audience is which
components those are, and with them every group and the headline.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from server.domain.component import Component, ComponentStatus, worst


@dataclass(frozen=True, slots=True)
class PageState:
    """`impacts` are those of open incidents by component; `maintained` is what active maintenances name, groups too."""

    components: Sequence[Component]
    impacts: Mapping[UUID, Sequence[ComponentStatus]]
    maintained: Collection[UUID]

    def status(self, component: Component, now: datetime) -> ComponentStatus:
        """Answers how a component is shown at `now`; of a group it is how who sees all of it is shown it."""
        if component.content.is_group:
            children = [child for child in self.components if child.content.group_id == component.id]
            return worst(self.status(child, now) for child in children)
        own = component.own_status(now)
        if component.id in self.maintained or component.content.group_id in self.maintained:
            own = ComponentStatus.UNDER_MAINTENANCE
        return worst((own, *self.impacts.get(component.id, ())))

    def leaves(self) -> list[Component]:
        """Answers the components that have a status of their own, and so a history."""
        return [component for component in self.components if not component.content.is_group]
