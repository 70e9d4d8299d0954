"""The lifecycles of incidents and maintenances, and what decides how a component is shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import FailedPrecondition, InvalidArgument
from server.domain import incident as incidents
from server.domain import maintenance as maintenances
from server.domain.component import SEVERITY, Component, ComponentContent, ComponentReport, ComponentStatus, worst
from server.domain.incident import Incident, IncidentSeverity, IncidentStatus, Said, tell
from server.domain.maintenance import Maintenance, MaintenanceStatus, move
from server.domain.page_state import PageState

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
OPERATIONAL, MAINTENANCE, DEGRADED, PARTIAL, MAJOR = ComponentStatus
LEGAL = incidents.OPEN | {incidents.RESOLVED}

statuses = st.sampled_from(list(ComponentStatus))


def an_incident(status: IncidentStatus = incidents.INVESTIGATING) -> Incident:
    return Incident(
        id=uuid4(),
        team_id=uuid4(),
        service_id=None,
        status_page_id=uuid4(),
        title="It is slow",
        description="",
        severity=IncidentSeverity.SEV2,
        status=status,
        labels={},
        started_at=NOW,
        acknowledged_at=None,
        acknowledged_by=None,
        monitoring_at=None,
        resolved_at=None if status in incidents.OPEN else NOW,
        revision=1,
        created_by=None,
        created_at=NOW,
        updated_at=NOW,
    )


def says(incident: Incident, said: Said) -> Incident:
    return tell(incident, said, update_id=uuid4(), by=None, at=NOW + timedelta(minutes=1))


@pytest.mark.parametrize(("before", "to"), list(product(IncidentStatus, IncidentStatus)))
def test_an_incident_moves_freely_but_what_was_learnt_comes_only_after_its_end(
    before: IncidentStatus, to: IncidentStatus
) -> None:
    ended = {incidents.RESOLVED, incidents.POSTMORTEM}
    allowed = (
        before in ended
        if to is incidents.POSTMORTEM
        else not (before is incidents.POSTMORTEM and to is incidents.RESOLVED)
    )
    if not allowed:
        with pytest.raises(FailedPrecondition):
            says(an_incident(before), Said("…", to))
        return
    after = says(an_incident(before), Said("…", to))
    assert after.status is to
    assert (after.resolved_at is not None) is (to in ended)
    assert after.resolved_at == NOW if before in ended and to in ended else True


def test_an_end_ends_every_impact_and_the_worst_is_remembered() -> None:
    api, web = uuid4(), uuid4()
    incident = says(an_incident(), Said("…", impacts={api: MAJOR, web: DEGRADED}))
    incident = says(incident, Said("…", impacts={api: PARTIAL, web: DEGRADED}))
    assert [change.component_id for change in incident.updates[0].impact_changes] == [api]
    incident = says(incident, Said("…", incidents.RESOLVED))
    assert {impact.component_id: (impact.status, impact.worst) for impact in incident.impacts} == {
        api: (OPERATIONAL, MAJOR),
        web: (OPERATIONAL, DEGRADED),
    }
    with pytest.raises(InvalidArgument):
        says(incident, Said("…", incidents.RESOLVED, {api: MAJOR}))


def a_maintenance(status: MaintenanceStatus) -> Maintenance:
    return Maintenance(
        id=uuid4(),
        status_page_id=uuid4(),
        title="Upgrade",
        component_ids=(uuid4(),),
        status=status,
        scheduled_for=NOW,
        scheduled_until=NOW + timedelta(hours=1),
        started_at=None if status is maintenances.SCHEDULED else NOW,
        ended_at=None,
        revision=1,
        created_by=uuid4(),
        created_at=NOW,
        updated_at=NOW,
        told_at=NOW,
    )


@pytest.mark.parametrize(("before", "to"), list(product(MaintenanceStatus, MaintenanceStatus)))
def test_a_maintenance_only_goes_forward(before: MaintenanceStatus, to: MaintenanceStatus) -> None:
    order = list(MaintenanceStatus)
    allowed = before not in maintenances.ENDED and order.index(to) > order.index(before)
    allowed = allowed and not (to is maintenances.CANCELLED and before is not maintenances.SCHEDULED)
    if allowed:
        moved = move(a_maintenance(before), to, NOW + timedelta(hours=2))
        assert (moved.ended_at is not None) is (to in maintenances.ENDED)
        assert (moved.started_at is None) is (to is maintenances.CANCELLED)
    else:
        with pytest.raises(FailedPrecondition):
            move(a_maintenance(before), to, NOW)


def test_the_clock_moves_what_nobody_moved() -> None:
    early, late = NOW - timedelta(seconds=1), NOW + timedelta(hours=1)
    announced = a_maintenance(maintenances.SCHEDULED)
    assert [announced.due(at) for at in (early, NOW, late)] == [None, *[maintenances.IN_PROGRESS] * 2]
    for status in maintenances.ACTIVE:
        assert [a_maintenance(status).due(at) for at in (NOW, late)] == [None, maintenances.COMPLETED]
    assert all(a_maintenance(status).due(late) is None for status in maintenances.ENDED)


@given(statuses, st.none() | statuses, st.booleans(), st.lists(statuses, max_size=3), st.booleans(), st.booleans())
def test_what_is_shown_is_the_worst_of_what_counts(
    own: ComponentStatus,
    reported: ComponentStatus | None,
    silent: bool,
    impacts: list[ComponentStatus],
    maintained: bool,
    by_group: bool,
) -> None:
    group = Component(uuid4(), uuid4(), ComponentContent("Group", is_group=True), 1, NOW, NOW)
    component = Component(
        uuid4(), group.status_page_id, ComponentContent("API", status=own, group_id=group.id), 1, NOW, NOW
    )
    if reported is not None:
        ends = NOW if silent else NOW + timedelta(seconds=1)
        component = replace(component, report=ComponentReport(reported, NOW - timedelta(minutes=1), ends, PARTIAL))
    named = {group.id if by_group else component.id} if maintained else set()
    state = PageState([group, component], {component.id: impacts}, named)
    check = [] if reported is None else [PARTIAL if silent else reported]
    expected = worst([MAINTENANCE, *impacts]) if maintained else worst([own, *check, *impacts])
    assert state.status(component, NOW) is state.status(group, NOW) is expected
    assert SEVERITY[expected] >= max((SEVERITY[impact] for impact in impacts), default=0)
