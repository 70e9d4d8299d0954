"""The rules of headlines, groups and scopes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from kernel.errors import InvalidArgument
from server.domain.component import Component, ComponentContent, ComponentStatus, shown, worst
from server.domain.status_page import Indicator, StatusPageContent, Visibility, headline
from server.domain.violation import Violations

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
PAGE = uuid4()

OPERATIONAL, MAINTENANCE, DEGRADED, PARTIAL, MAJOR = ComponentStatus


def a_component(name: str, status: ComponentStatus = OPERATIONAL, **content: object) -> Component:
    said = ComponentContent(name=name, status=status, **content)  # type: ignore[arg-type]
    return Component(uuid4(), PAGE, said, revision=1, created_at=NOW, updated_at=NOW)


def a_group(name: str, position: int = 0) -> Component:
    return a_component(name, is_group=True, position=position)


def headline_of(*statuses: ComponentStatus) -> tuple[Indicator, str]:
    found = headline(shown([a_component("it", status) for status in statuses]))
    return found.indicator, found.description


@pytest.mark.parametrize(
    ("statuses", "indicator", "description"),
    [
        ([], Indicator.NONE, "All Systems Operational"),
        ([OPERATIONAL, OPERATIONAL], Indicator.NONE, "All Systems Operational"),
        ([MAINTENANCE, OPERATIONAL], Indicator.MAINTENANCE, "Service Under Maintenance"),
        ([MAINTENANCE, MAINTENANCE], Indicator.MAINTENANCE, "Service Under Maintenance"),
        ([DEGRADED, OPERATIONAL], Indicator.MINOR, "Partially Degraded Service"),
        ([DEGRADED, DEGRADED], Indicator.MINOR, "Partially Degraded Service"),
        ([DEGRADED, MAINTENANCE], Indicator.MINOR, "Partially Degraded Service"),
        ([PARTIAL, OPERATIONAL], Indicator.MINOR, "Minor Service Outage"),
        ([PARTIAL, DEGRADED], Indicator.MINOR, "Minor Service Outage"),
        ([PARTIAL, MAINTENANCE], Indicator.MINOR, "Minor Service Outage"),
        ([PARTIAL, PARTIAL], Indicator.MAJOR, "Partial System Outage"),
        ([PARTIAL], Indicator.MAJOR, "Partial System Outage"),
        ([MAJOR, OPERATIONAL], Indicator.MAJOR, "Partial System Outage"),
        ([MAJOR, PARTIAL], Indicator.MAJOR, "Partial System Outage"),
        ([MAJOR, MAINTENANCE], Indicator.MAJOR, "Partial System Outage"),
        ([MAJOR, MAJOR], Indicator.CRITICAL, "Major System Outage"),
        ([MAJOR], Indicator.CRITICAL, "Major System Outage"),
    ],
)
def test_the_headline_follows_from_all_components(
    statuses: list[ComponentStatus], indicator: Indicator, description: str
) -> None:
    assert headline_of(*statuses) == (indicator, description)


def test_a_group_is_shown_as_the_worst_of_its_children() -> None:
    group = a_group("Checkout")
    children = [a_component("Cards", DEGRADED, group_id=group.id), a_component("Refunds", PARTIAL, group_id=group.id)]
    assert {seen.name: seen.status for seen in shown([*children, group])}["Checkout"] is PARTIAL


def test_a_group_does_not_count_in_the_headline_because_its_children_do() -> None:
    group = a_group("Empty, and so operational")
    found = headline(shown([group, a_component("Everything there is", MAJOR)]))
    assert found.indicator is Indicator.CRITICAL


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [([], OPERATIONAL), ([MAINTENANCE, OPERATIONAL], MAINTENANCE), ([MAINTENANCE, DEGRADED], DEGRADED)],
)
def test_announced_maintenance_is_worse_than_nothing_and_better_than_trouble(
    statuses: list[ComponentStatus], expected: ComponentStatus
) -> None:
    assert worst(statuses) is expected


def test_components_stand_by_position_and_each_group_directly_before_its_children() -> None:
    group = a_group("Group", position=2)
    components = [
        a_component("Last", position=3),
        a_component("Second child", position=9, group_id=group.id),
        a_component("First", position=1),
        a_component("First child", position=8, group_id=group.id),
        group,
    ]
    assert [(seen.name, seen.position) for seen in shown(components)] == [
        ("First", 1),
        ("Group", 2),
        ("First child", 1),
        ("Second child", 2),
        ("Last", 3),
    ]


def test_of_equal_positions_the_older_component_stands_first() -> None:
    newer = replace(a_component("Newer"), created_at=NOW + timedelta(seconds=1))
    assert [seen.name for seen in shown([newer, a_component("Older")])] == ["Older", "Newer"]


def scoped() -> tuple[list[Component], dict[str, UUID]]:
    group = a_group("Group")
    components = [
        group,
        a_component("Seen", group_id=group.id),
        replace(a_component("Hidden", MAJOR, group_id=group.id), updated_at=NOW + timedelta(hours=1)),
        a_component("Elsewhere", DEGRADED),
    ]
    return components, {component.content.name: component.id for component in components}


def test_what_is_outside_the_scope_does_not_shine_through_its_group_or_the_headline() -> None:
    components, ids = scoped()
    seen = shown(components, {ids["Seen"]})
    assert [(component.name, component.status) for component in seen] == [
        ("Group", OPERATIONAL),
        ("Seen", OPERATIONAL),
    ]
    assert seen[0].updated_at == NOW
    assert headline(seen).indicator is Indicator.NONE


def test_a_group_in_the_scope_stands_for_its_children() -> None:
    components, ids = scoped()
    assert {seen.name for seen in shown(components, {ids["Group"]})} == {"Group", "Seen", "Hidden"}


def test_a_scope_of_components_that_are_gone_shows_nothing() -> None:
    components, _ = scoped()
    assert shown(components, {uuid4()}) == []


@pytest.mark.parametrize("slug", ["a", "0", "acme-status", "a" * 63])
def test_a_slug_is_lower_case_letters_digits_and_inner_hyphens(slug: str) -> None:
    check(StatusPageContent(slug, "Acme", Visibility.PUBLIC))


@pytest.mark.parametrize("slug", ["", "-a", "a-", "A", "a b", "a/b", "é", "a" * 64, "a\n"])
def test_anything_else_is_no_slug(slug: str) -> None:
    with pytest.raises(InvalidArgument, match=r"status_page\.slug"):
        check(StatusPageContent(slug, "Acme", Visibility.PUBLIC))


def test_a_time_zone_is_one_that_exists() -> None:
    check(StatusPageContent("a", "Acme", Visibility.PUBLIC, "Europe/Berlin"))
    with pytest.raises(InvalidArgument, match=r"status_page\.time_zone"):
        check(StatusPageContent("a", "Acme", Visibility.PUBLIC, "Europe/Nowhere"))


def check(content: StatusPageContent) -> None:
    violations = Violations()
    content.check(violations)
    violations.raise_if_any()
