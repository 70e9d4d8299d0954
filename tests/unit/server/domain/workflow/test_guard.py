"""What conditions are told of an incident, and whether a workflow starts and stops by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from uuid import UUID

import pytest

from server.domain.incident import Incident, IncidentSeverity, IncidentStatus
from server.domain.workflow.context import INCIDENT, ROOTS, Context, build_context, incident_facts
from server.domain.workflow.definition import Brake, Event, Trigger
from server.domain.workflow.guard import brake_reason, trigger_holds
from server.domain.workflow.language import TemplateProblem
from server.domain.workflow.run import NodeState, NodeStatus
from tests.unit.server.domain.workflow.building import RUNBOOK_ID, a_definition

ID = UUID(int=7)
AT = datetime(2026, 3, 1, 4, 0, tzinfo=timezone(timedelta(hours=1)))
CREATED = Event.INCIDENT_CREATED


def an_incident(severity: IncidentSeverity = IncidentSeverity.SEV2) -> Incident:
    return Incident(
        id=ID,
        team_id=ID,
        service_id=None,
        status_page_id=None,
        title="Disk full",
        description="",
        severity=severity,
        status=IncidentStatus.INVESTIGATING,
        labels={"env": "prod"},
        started_at=AT,
        acknowledged_at=None,
        acknowledged_by=None,
        monitoring_at=None,
        resolved_at=None,
        revision=1,
        created_by=None,
        created_at=AT,
        updated_at=AT,
    )


def a_context(then: IncidentSeverity = IncidentSeverity.SEV2, now: IncidentSeverity = IncidentSeverity.SEV2) -> Context:
    return build_context(
        event=CREATED,
        by="Ada",
        incident_then=incident_facts(an_incident(then)),
        incident_now=incident_facts(an_incident(now)),
        service=None,
        team=(ID, "api"),
        nodes={"check": NodeState(NodeStatus.SUCCEEDED, output={"exit_code": 0})},
        executions={"check": RUNBOOK_ID},
    )


def test_an_incident_is_told_as_plain_json_with_all_its_fields() -> None:
    facts = incident_facts(an_incident(), "https://example.org/1")
    assert set(facts) == set(INCIDENT)
    assert (facts["severity"], facts["started_at"], facts["acknowledged"]) == ("SEV2", "2026-03-01T03:00:00Z", False)
    assert type(facts["severity"]) is str


def test_a_context_has_the_roots_that_are_promised() -> None:
    context = a_context()
    assert set(context) == {*ROOTS, "nodes"}
    assert context["trigger"] == {"event": "INCIDENT_CREATED", "by": "Ada", "incident": context["incident"]}
    told = {"status": "SUCCEEDED", "problem": "", "exit_code": 0, "execution_id": str(RUNBOOK_ID)}
    assert context["nodes"] == {"check": told}
    by_hand = build_context(
        event=Event.MANUAL, by="", incident_then=None, incident_now=None, service=(ID, "db"), team=(ID, "api")
    )
    assert "incident" not in by_hand
    assert by_hand["trigger"] == {"event": "MANUAL", "by": ""}
    assert by_hand["service"] == {"id": str(ID), "name": "db"}


@pytest.mark.parametrize(
    ("condition", "starts"),
    [
        ("", True),
        ('incident.severity in ["SEV1", "SEV2"]', True),
        ('incident.severity == "SEV1"', False),
        ('incident.labels.env == "prod" and service.name != "db"', True),
        ('incident.labels.region == "eu" or service.name == "db"', False),
    ],
)
def test_a_workflow_starts_by_its_event_and_condition(condition: str, *, starts: bool) -> None:
    definition = replace(a_definition("a"), trigger=Trigger(CREATED, condition))
    assert trigger_holds(definition, CREATED, a_context()) is starts
    assert not trigger_holds(definition, Event.INCIDENT_RESOLVED, a_context())


def test_none_starts_by_hand_of_itself_nor_without_an_answer() -> None:
    assert not trigger_holds(a_definition("a"), Event.MANUAL, a_context())
    with pytest.raises(TemplateProblem):
        trigger_holds(replace(a_definition("a"), trigger=Trigger(CREATED, "team.name > 5")), CREATED, a_context())


def test_a_brake_stops_where_its_condition_holds_or_has_no_answer() -> None:
    worse = Brake("incident.severity < trigger.incident.severity")
    definition = replace(a_definition("a"), brake=worse)
    assert brake_reason(definition, a_context()) == ""
    reason = brake_reason(definition, a_context(now=IncidentSeverity.SEV1))
    assert reason == "its brake: the condition for stopping is true"
    assert brake_reason(replace(definition, brake=Brake("team.name > 5")), a_context()).startswith(
        "its brake has no answer"
    )
    assert brake_reason(replace(definition, brake=None), a_context()) == ""


def test_a_brake_stops_after_so_many_failed_runs() -> None:
    definition = replace(a_definition("a"), brake=Brake("", 3))
    assert [bool(brake_reason(definition, a_context(), count)) for count in (0, 2, 3, 4)] == [False, False, True, True]
    assert brake_reason(replace(definition, brake=Brake("false")), a_context(), 100) == ""
