"""What a server says is shown and never obeyed: no word of it reaches the terminal as a control sequence."""

import json

import grpc
import pytest

from oncall.v1.execution_pb2 import Execution
from oncall.v1.incident_pb2 import INCIDENT_STATUS_IDENTIFIED, Incident, IncidentUpdate
from oncall.v1.incident_service_pb2 import (
    AcknowledgeIncidentResponse,
    GetIncidentResponse,
    ListIncidentsResponse,
)
from oncall.v1.maintenance_pb2 import MAINTENANCE_STATUS_SCHEDULED, Maintenance, MaintenanceUpdate
from oncall.v1.runbook_service_pb2 import GetExecutionResponse, GetRunbookResponse, ListExecutionsResponse
from oncall.v1.status_page_pb2 import StatusPage
from oncall.v1.status_page_service_pb2 import (
    GetMaintenanceResponse,
    ListComponentsResponse,
    StatusPageServiceGetStatusPageResponse,
)
from oncall.v1.team_pb2 import Membership
from oncall.v1.team_service_pb2 import ListMembersResponse, ListTeamsResponse
from oncall.v1.workflow_service_pb2 import ListWorkflowRunsResponse
from tests.unit.cli.conftest import SECONDS

ID = "0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e"
HOSTILE = "ada\x1b[2J\x9b2J\u202e\x7f"
SHOWN = "ada␛[2J<U+009B>2J<U+202E>␡"


def test_who_said_something_of_an_incident_is_shown_as_what_it_is(server):
    ran = server.run("incident", "show", ID)
    said = [
        IncidentUpdate(message=message, status=INCIDENT_STATUS_IDENTIFIED, created_by=who)
        for message, who in (("bye", ID), ("hello", HOSTILE))
    ]
    server.answer("GetIncident", GetIncidentResponse(incident=Incident(id=ID, updates=said)))
    server.answer("ListExecutions", ListExecutionsResponse())
    server.answer("ListWorkflowRuns", ListWorkflowRunsResponse())
    server.answer("ListTeams", ListTeamsResponse())
    server.answer("ListMembers", ListMembersResponse(members=[Membership(user_id=ID, user_name=f"Eve {HOSTILE}")]))
    shown = ran.result(SECONDS).stdout
    assert f"  IDENTIFIED  by {SHOWN}\n  hello\n" in shown
    assert f"  IDENTIFIED  by Eve {SHOWN}\n  bye\n" in shown


@pytest.mark.parametrize(("opened_by", "shown"), [(ID, "Ada"), ("", "the platform"), ("left", "left")])
def test_an_incident_that_was_opened_without_a_word_was_opened_by_somebody(server, opened_by, shown):
    ran = server.run("incident", "show", ID)
    said = [
        IncidentUpdate(message=message, status=INCIDENT_STATUS_IDENTIFIED) for message in ("It is over.", "Looking.")
    ]
    server.answer("GetIncident", GetIncidentResponse(incident=Incident(id=ID, updates=said, created_by=opened_by)))
    server.answer("ListExecutions", ListExecutionsResponse())
    server.answer("ListWorkflowRuns", ListWorkflowRunsResponse())
    server.answer("ListTeams", ListTeamsResponse())
    server.answer("ListMembers", ListMembersResponse(members=[Membership(user_id=ID, user_name="Ada")]))
    printed = ran.result(SECONDS).stdout
    assert f"  IDENTIFIED  by {shown}\n  Looking.\n" in printed
    assert "  IDENTIFIED  by the platform\n  It is over.\n" in printed


def test_who_said_something_of_a_maintenance_is_shown_as_what_it_is(server):
    ran = server.run("maintenance", "show", ID)
    said = MaintenanceUpdate(message="hello", status=MAINTENANCE_STATUS_SCHEDULED, created_by=HOSTILE)
    found = Maintenance(id=ID, status_page_id=ID, updates=[said])
    server.answer("GetMaintenance", GetMaintenanceResponse(maintenance=found))
    page = StatusPageServiceGetStatusPageResponse(status_page=StatusPage(id=ID, slug="shop"))
    server.take("GetStatusPage")[1].terminate(page, (), grpc.StatusCode.OK, "")
    server.answer("ListComponents", ListComponentsResponse())
    assert f"  SCHEDULED  by {SHOWN}\n  hello\n" in ran.result(SECONDS).stdout


def test_who_took_an_incident_on_is_shown_as_what_it_is(server):
    ran = server.run("incident", "acknowledge", ID)
    server.answer("GetIncident", GetIncidentResponse(incident=Incident(id=ID)))
    taken = Incident(id=ID, title="x", acknowledged_by=HOSTILE)
    server.answer("AcknowledgeIncident", AcknowledgeIncidentResponse(incident=taken))
    assert ran.result(SECONDS).stdout.endswith(f" by {SHOWN}\n")


def test_an_id_in_a_refusal_is_shown_as_what_it_is(server):
    ran = server.run("incident", "resolve", "x")
    server.answer(
        "ListIncidents", ListIncidentsResponse(incidents=[Incident(id=id_, title="x") for id_ in (HOSTILE, ID)])
    )
    assert ran.result(SECONDS).stderr.endswith(f"choose one: {SHOWN}, {ID}\n")


def test_a_reason_is_shown_as_what_it_is(server):
    ran = server.run("incident", "show", ID)
    server.refuse("GetIncident", grpc.StatusCode.NOT_FOUND, "gone", HOSTILE)
    assert ran.result(SECONDS).stderr == f"oncall: gone ({SHOWN})\n"


def test_what_a_script_left_is_shown_as_json_on_lines_of_its_own(server):
    ran = server.run("execution", ID)
    left = Execution(id=ID, output={HOSTILE: [HOSTILE, "ä"]}, output_error=HOSTILE)
    server.answer("GetExecution", GetExecutionResponse(execution=left))
    server.answer("GetRunbook", GetRunbookResponse())
    printed = ran.result(SECONDS).stdout
    assert not set(printed) & set("\x1b\x9b\u202e\x7f")
    assert json.loads(printed.partition("\noutput:\n")[2]) == {HOSTILE: [HOSTILE, "ä"]}
    assert f"no output  {SHOWN}\n" in printed


@pytest.mark.parametrize("text", [HOSTILE, "plain", "ä€😀"])
def test_json_is_whole_and_escapes_what_a_terminal_would_obey(server, text):
    ran = server.run("incident", "show", ID, "--json")
    server.answer("GetIncident", GetIncidentResponse(incident=Incident(id=ID, title=text)))
    server.answer("ListExecutions", ListExecutionsResponse())
    server.answer("ListWorkflowRuns", ListWorkflowRunsResponse())
    printed = ran.result(SECONDS).stdout
    assert json.loads(printed)["title"] == text
    assert not set(printed.removesuffix("\n")) & set("\x1b\x9b\u202e\x7f")
    assert text == HOSTILE or text in printed
