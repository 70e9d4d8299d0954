"""What the HTML page shows, ready to be written down: words, tones and times; the templates only place them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from oncall.v1 import partner_pb2 as partner
from oncall.v1 import status_page_pb2 as status_page
from oncall.v1.partner_service_pb2 import GetStatusPageResponse


@dataclass(frozen=True, slots=True)
class Mark:
    """A status in words, and the tone whose icon and colour accompany them: never instead of them."""

    tone: str
    label: str


@dataclass(frozen=True, slots=True)
class Moment:
    """A time for people, in UTC, and for programs."""

    text: str
    machine: str


@dataclass(frozen=True, slots=True)
class ComponentView:
    name: str
    description: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class SectionView:
    """A group with its children; without a name, components that are in no group."""

    name: str
    description: str
    mark: Mark | None
    components: Sequence[ComponentView]


@dataclass(frozen=True, slots=True)
class PageView:
    name: str
    headline: Mark
    partner_name: str
    updated: Moment
    checked: Moment
    sections: Sequence[SectionView]


MARKS = {
    status_page.COMPONENT_STATUS_OPERATIONAL: Mark("good", "Operational"),
    status_page.COMPONENT_STATUS_UNDER_MAINTENANCE: Mark("maintenance", "Under maintenance"),
    status_page.COMPONENT_STATUS_DEGRADED_PERFORMANCE: Mark("degraded", "Degraded performance"),
    status_page.COMPONENT_STATUS_PARTIAL_OUTAGE: Mark("partial", "Partial outage"),
    status_page.COMPONENT_STATUS_MAJOR_OUTAGE: Mark("major", "Major outage"),
}

TONES = {
    partner.HEADLINE_INDICATOR_NONE: "good",
    partner.HEADLINE_INDICATOR_MINOR: "degraded",
    partner.HEADLINE_INDICATOR_MAJOR: "partial",
    partner.HEADLINE_INDICATOR_CRITICAL: "major",
    partner.HEADLINE_INDICATOR_MAINTENANCE: "maintenance",
}


def page_view(answer: GetStatusPageResponse, now: datetime) -> PageView:
    """Answers what to show; components that want to be seen only when degraded are left out while they work."""
    return PageView(
        name=answer.status_page.name,
        headline=Mark(TONES[answer.headline.indicator], answer.headline.description),
        partner_name=answer.audience.partner_name,
        updated=_moment(_utc(answer.status_page.updated_at)),
        checked=_moment(now),
        sections=_sections([component for component in answer.components if not _left_out(component)]),
    )


def _sections(components: Sequence[partner.ShownComponent]) -> list[SectionView]:
    """Answers the sections in order; neighbours that are in no group share one."""
    sections: list[SectionView] = []
    for component in (component for component in components if not component.group_id):
        if component.group:
            children = [_view(child) for child in components if child.group_id == component.id]
            sections.append(SectionView(component.name, component.description, MARKS[component.status], children))
        elif sections and not sections[-1].name:
            sections[-1] = SectionView("", "", None, [*sections[-1].components, _view(component)])
        else:
            sections.append(SectionView("", "", None, [_view(component)]))
    return sections


def _view(component: partner.ShownComponent) -> ComponentView:
    return ComponentView(component.name, component.description, MARKS[component.status])


def _left_out(component: partner.ShownComponent) -> bool:
    return component.only_show_if_degraded and component.status == status_page.COMPONENT_STATUS_OPERATIONAL


def _utc(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)


def _moment(at: datetime) -> Moment:
    return Moment(f"{at.day} {at:%B %Y, %H:%M} UTC", f"{at:%Y-%m-%dT%H:%M:%SZ}")
