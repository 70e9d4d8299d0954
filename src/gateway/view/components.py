"""The components of a page: in sections by group, each with its status and its last 90 days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.languages import Language
from gateway.view.bars import BarsView, bars_view
from gateway.view.marks import COMPONENTS, Mark
from oncall.v1 import partner_pb2 as partner
from oncall.v1.partner_service_pb2 import GetStatusPageResponse
from oncall.v1.shown_status_page_pb2 import ShownUptime
from oncall.v1.status_page_pb2 import COMPONENT_STATUS_OPERATIONAL


@dataclass(frozen=True, slots=True)
class ComponentView:
    id: str
    name: str
    description: str
    mark: Mark
    bars: BarsView | None


@dataclass(frozen=True, slots=True)
class SectionView:
    """A group with its children; without a name, components that are in no group."""

    name: str
    description: str
    mark: Mark | None
    uptime: str
    components: Sequence[ComponentView]


class Components:
    """Makes views of the components of one page in one language."""

    def __init__(self, page: GetStatusPageResponse, language: Language) -> None:
        self._language = language
        self._uptimes: Mapping[str, ShownUptime] = {uptime.component_id: uptime for uptime in page.uptimes}
        self._incidents = {incident.id: incident.title for incident in page.incidents}
        self._components = [component for component in page.components if not _left_out(component)]

    def sections(self) -> list[SectionView]:
        """Answers the sections in order; neighbours that are in no group share one."""
        sections: list[SectionView] = []
        for component in (component for component in self._components if not component.group_id):
            if component.group:
                sections.append(self._group(component))
            elif sections and not sections[-1].name:
                together = [*sections[-1].components, self._view(component)]
                sections[-1] = SectionView("", "", None, "", together)
            else:
                sections.append(SectionView("", "", None, "", [self._view(component)]))
        return sections

    def mark(self, status: int) -> Mark:
        tone, label = COMPONENTS[status]  # type: ignore[index] # an enum's number, as messages have it
        return Mark(tone, self._language.gettext(label))

    def _group(self, group: partner.ShownComponent) -> SectionView:
        children = [self._view(child) for child in self._components if child.group_id == group.id]
        drawn = self._bars(group)
        return SectionView(
            group.name, group.description, self.mark(group.status), drawn.uptime if drawn else "", children
        )

    def _view(self, component: partner.ShownComponent) -> ComponentView:
        mark = self.mark(component.status)
        return ComponentView(component.id, component.name, component.description, mark, self._bars(component))

    def _bars(self, component: partner.ShownComponent) -> BarsView | None:
        uptime = self._uptimes.get(component.id)
        return bars_view(uptime, self._incidents, self._language) if uptime and uptime.days else None


def _left_out(component: partner.ShownComponent) -> bool:
    return component.only_show_if_degraded and component.status == COMPONENT_STATUS_OPERATIONAL
