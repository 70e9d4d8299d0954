"""The verbs for workflows against a scripted server: what they ask for, what they show, and how they end."""

from __future__ import annotations

import json

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct

from oncall.v1 import workflow_pb2 as pb
from oncall.v1.team_pb2 import Membership
from oncall.v1.team_service_pb2 import ListMembersResponse, ListTeamsResponse
from oncall.v1.workflow_service_pb2 import (
    APPROVAL_DECISION_APPROVE,
    APPROVAL_DECISION_REJECT,
    CancelWorkflowRunResponse,
    DecideApprovalResponse,
    GetWorkflowResponse,
    GetWorkflowRunResponse,
    ListWorkflowRunsResponse,
    ListWorkflowsResponse,
    RunWorkflowResponse,
    UpdateWorkflowResponse,
    WatchWorkflowRunResponse,
)
from tests.unit.cli.conftest import SECONDS

RUN = "0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e"
WORKFLOW = "0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2f"


def a_run(status: str = "RUNNING", **fields: object) -> pb.WorkflowRun:
    run = pb.WorkflowRun(id=RUN, workflow_id=WORKFLOW, status=f"WORKFLOW_RUN_STATUS_{status}", **fields)  # type: ignore[arg-type]
    run.created_at.FromSeconds(1000)
    if status != "RUNNING":
        run.completed_at.FromSeconds(1007)
    return run


def a_step(name: str, status: str, began: int = 0, ended: int = 0, **fields: object) -> pb.WorkflowNodeRun:
    step = pb.WorkflowNodeRun(name=name, status=f"WORKFLOW_NODE_STATUS_{status}", **fields)  # type: ignore[arg-type]
    if began:
        step.started_at.FromSeconds(began)
    if ended:
        step.completed_at.FromSeconds(ended)
    return step


def watched(server, *runs: pb.WorkflowRun, ends: bool = True):
    """Answers a watch with these states of the run."""
    request, rpc = server.take("WatchWorkflowRun")
    for run in runs:
        rpc.send_response(WatchWorkflowRunResponse(workflow_run=run))
    if ends:
        rpc.terminate((), grpc.StatusCode.OK, "")
    return request, rpc


def lines_of(result) -> list[str]:
    """Answers what was printed, without the time of day."""
    return [line[10:] for line in result.stdout.splitlines()]


def test_each_change_of_a_step_is_a_line_once(server):
    ran = server.run("workflow", "watch", RUN)
    asks = a_step("ask", "WAITING", 1001, question="Really?\x1b[2J")
    decided = Struct()
    decided.update({"decision": "APPROVE", "comment": "Seen.", "decided_by": "Ada"})
    said = a_step("ask", "SUCCEEDED", 1001, 1003, output=decided)
    does = a_step("do", "RUNNING", 1003, execution_id="the-execution")
    done = a_step("do", "FAILED", 1003, 1006, problem="its script ended with exit code 3")
    request, _ = watched(
        server,
        a_run(nodes=[asks, a_step("do", "PENDING")]),
        a_run(nodes=[asks, a_step("do", "PENDING")]),
        a_run(nodes=[said, does]),
        a_run("FAILED", nodes=[said, done, a_step("never", "SKIPPED", 0, 1006)], problem="do failed"),
    )
    result = ran.result(SECONDS)
    assert request.workflow_run_id == RUN
    assert lines_of(result) == [
        f"ask  WAITING    Really?␛[2J; oncall workflow approve {RUN} ask",
        "ask  SUCCEEDED  2.0 s; by Ada; Seen.",
        "do   RUNNING    oncall watch the-execution",
        "do     FAILED     3.0 s; its script ended with exit code 3",
        "never  SKIPPED",
    ]
    assert (result.exit_code, result.stderr) == (70, "oncall: failed after 7.0 s: do failed\n")


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        ("COMPLETED", 0, "completed after 7.0 s"),
        ("FAILED", 70, "failed after 7.0 s"),
        ("STOPPED", 70, "stopped by its brake"),
        ("TIMEOUT", 124, "its time was over"),
        ("CANCELLED", 130, "cancelled after 7.0 s"),
    ],
)
def test_how_a_run_ended_is_the_exit_code(server, status, code, says):
    ran = server.run("workflow", "watch", RUN)
    watched(server, a_run(status))
    result = ran.result(SECONDS)
    assert (result.exit_code, says in result.stderr) == (code, True)


def test_as_json_each_change_is_the_run_on_a_line(server):
    ran = server.run("workflow", "watch", RUN, "--json")
    watched(server, a_run(nodes=[a_step("it", "RUNNING", 1001)]), a_run("COMPLETED"))
    first, last = map(json.loads, ran.result(SECONDS).stdout.splitlines())
    assert first["nodes"][0]["status"] == "WORKFLOW_NODE_STATUS_RUNNING"
    assert last["status"] == "WORKFLOW_RUN_STATUS_COMPLETED"


def test_a_lost_connection_is_made_anew_and_nothing_is_shown_twice(server):
    ran = server.run("workflow", "watch", RUN)
    running = a_run(nodes=[a_step("it", "RUNNING", 1001)])
    _, rpc = watched(server, running, ends=False)
    rpc.terminate((), grpc.StatusCode.UNAVAILABLE, "gone")
    watched(server, running, a_run("COMPLETED", nodes=[a_step("it", "SUCCEEDED", 1001, 1002)]))
    result = ran.result(SECONDS)
    assert lines_of(result) == ["it  RUNNING", "it  SUCCEEDED  1.0 s"]
    assert [line.partition(";")[0] for line in result.stderr.splitlines()] == [
        "oncall: the connection is lost",
        "oncall: the connection is back",
        "oncall: completed after 7.0 s",
    ]


def test_a_run_that_cannot_be_seen_is_a_refusal(server):
    ran = server.run("workflow", "watch", RUN)
    _, rpc = server.take("WatchWorkflowRun")
    rpc.terminate((), grpc.StatusCode.NOT_FOUND, "there is no such workflow run")
    result = ran.result(SECONDS)
    assert (result.exit_code, "no such workflow run" in result.stderr) == (1, True)


def test_an_offer_to_undo_is_told_of_and_not_waited_for(server):
    ran = server.run("workflow", "watch", RUN)
    offered = a_step("", "WAITING", 1007, question="Undo what it did?")
    watched(server, a_run("FAILED", compensation=offered), ends=False)
    result = ran.result(SECONDS)
    assert lines_of(result) == [
        f"(compensation)  WAITING    Undo what it did?; oncall workflow approve {RUN} --compensation"
    ]
    assert f"`oncall workflow approve {RUN} --compensation`" in result.stderr.splitlines()[-1]


def test_what_undoes_a_run_is_shown_to_its_end(server):
    ran = server.run("workflow", "watch", RUN)
    states = [a_step("", "RUNNING", 1008, execution_id="e"), a_step("", "SUCCEEDED", 1008, 1009)]
    watched(server, *(a_run("FAILED", compensation=state) for state in states))
    result = ran.result(SECONDS)
    assert lines_of(result) == ["(compensation)  RUNNING    oncall watch e", "(compensation)  SUCCEEDED  1.0 s"]
    assert result.exit_code == 70


@pytest.mark.parametrize(
    ("arguments", "node", "decision"),
    [
        (("approve", RUN, "ask", "-c", "why"), "ask", APPROVAL_DECISION_APPROVE),
        (("reject", RUN, "ask", "-c", "why"), "ask", APPROVAL_DECISION_REJECT),
        (("approve", RUN, "--compensation", "-c", "why"), "", APPROVAL_DECISION_APPROVE),
    ],
)
def test_a_word_names_the_step_and_why(server, arguments, node, decision):
    ran = server.run("workflow", *arguments)
    sent = server.answer("DecideApproval", DecideApprovalResponse(workflow_run=a_run()))
    assert (sent.workflow_run_id, sent.node, sent.decision, sent.comment) == (RUN, node, decision, "why")
    assert f"`oncall workflow watch {RUN}`" in ran.result(SECONDS).stdout


def test_without_a_step_what_waits_is_decided_once_it_was_seen(server):
    waits = [a_step("ask", "WAITING", question="Really?"), a_step("done", "SUCCEEDED")]
    unasked = server.run("workflow", "approve", RUN)
    server.answer("GetWorkflowRun", GetWorkflowRunResponse(workflow_run=a_run(nodes=waits)))
    assert (unasked.result(SECONDS).exit_code, "--yes" in unasked.result(SECONDS).stderr) == (2, True)

    said = server.run("workflow", "approve", RUN, "--yes")
    server.answer("GetWorkflowRun", GetWorkflowRunResponse(workflow_run=a_run(nodes=waits)))
    assert server.answer("DecideApproval", DecideApprovalResponse(workflow_run=a_run())).node == "ask"
    assert said.result(SECONDS).exit_code == 0

    both = server.run("workflow", "approve", RUN, "--yes")
    waits[1].status = pb.WORKFLOW_NODE_STATUS_WAITING
    server.answer("GetWorkflowRun", GetWorkflowRunResponse(workflow_run=a_run(nodes=waits)))
    assert (both.result(SECONDS).exit_code, both.result(SECONDS).stderr) == (
        2,
        "oncall: several steps wait: name one: ask, done\n",
    )


def test_a_run_names_the_incident_and_prints_the_id_alone(server):
    ran = server.run("workflow", "run", WORKFLOW, "--request-id", "once")
    server.answer("GetWorkflow", GetWorkflowResponse(workflow=pb.Workflow(id=WORKFLOW)))
    sent = server.answer("RunWorkflow", RunWorkflowResponse(workflow_run=a_run()))
    assert (sent.workflow_id, sent.incident_id, sent.request_id) == (WORKFLOW, "", "once")
    assert ran.result(SECONDS).stdout == f"{RUN}\n"


def test_a_run_that_is_watched_ends_as_the_run_does(server):
    ran = server.run("workflow", "run", WORKFLOW, "--watch")
    server.answer("GetWorkflow", GetWorkflowResponse(workflow=pb.Workflow(id=WORKFLOW, name="careful")))
    assert server.answer("RunWorkflow", RunWorkflowResponse(workflow_run=a_run())).request_id
    watched(server, a_run("TIMEOUT"))
    assert ran.result(SECONDS).exit_code == 124


def test_a_name_of_several_teams_has_to_be_told_which(server):
    ran = server.run("workflow", "show", "careful")
    found = [pb.Workflow(id=team, name="careful", team_id=team) for team in ("b", "a")]
    server.answer("ListWorkflows", ListWorkflowsResponse(workflows=found))
    server.answer("ListTeams", ListTeamsResponse())
    assert ran.result(SECONDS).stderr == (
        "oncall: several teams have a workflow 'careful': choose one with --team: a, b\n"
    )


def test_switching_changes_nothing_else(server):
    ran = server.run("workflow", "disable", WORKFLOW)
    server.answer("GetWorkflow", GetWorkflowResponse(workflow=pb.Workflow(id=WORKFLOW, name="it", enabled=True)))
    sent = server.answer("UpdateWorkflow", UpdateWorkflowResponse(workflow=pb.Workflow(name="it")))
    assert (sent.workflow, list(sent.update_mask.paths)) == (pb.Workflow(id=WORKFLOW), ["enabled"])
    assert ran.result(SECONDS).stdout == "it is disabled\n"


def test_runs_are_listed_by_the_name_of_their_workflow_and_a_deleted_one_by_its_id(server):
    ran = server.run("workflow", "runs", "--status", "failed")
    listed = ListWorkflowRunsResponse(workflow_runs=[a_run("FAILED", event=pb.WORKFLOW_EVENT_INCIDENT_CREATED)])
    assert server.answer("ListWorkflowRuns", listed).status == pb.WORKFLOW_RUN_STATUS_FAILED
    server.refuse("GetWorkflow", grpc.StatusCode.NOT_FOUND, "gone", "NOT_FOUND")
    row = ran.result(SECONDS).stdout.splitlines()[1].split()
    assert row[:6] == [RUN, WORKFLOW, "0", "FAILED", "incident", "created"]
    assert row[-2:] == ["7.0", "s"]


def test_a_cancelled_run_may_have_ended_already(server):
    ran = server.run("workflow", "cancel", RUN)
    server.answer("CancelWorkflowRun", CancelWorkflowRunResponse(workflow_run=a_run("CANCELLED")))
    assert ran.result(SECONDS).stderr == "cancelled after 7.0 s\n"


def test_a_status_shows_every_step_and_what_to_do(server):
    ran = server.run("workflow", "status", RUN)
    steps = [a_step("ask", "WAITING", 1001, question="Really?"), a_step("do", "PENDING")]
    run = a_run(nodes=steps, workflow=pb.Workflow(name="careful"), workflow_version=3)
    server.answer("GetWorkflowRun", GetWorkflowRunResponse(workflow_run=run))
    shown = ran.result(SECONDS).stdout
    assert "careful, version 3" in shown
    assert f"oncall workflow approve {RUN} ask" in shown
    assert [line.split()[:2] for line in shown.splitlines()[-1:]] == [["do", "PENDING"]]


@pytest.mark.parametrize(("members", "shown"), [([Membership(user_id="u", user_name="Ada")], "Ada"), ([], "u")])
def test_a_status_says_what_whoever_started_the_run_is_called(server, members, shown):
    ran = server.run("workflow", "status", RUN)
    server.answer("GetWorkflowRun", GetWorkflowRunResponse(workflow_run=a_run(triggered_by="u", team_id="t")))
    assert server.answer("ListMembers", ListMembersResponse(members=members)).team_id == "t"
    lines = [line.split() for line in ran.result(SECONDS).stdout.splitlines()]
    assert ["started", "by", shown] in lines
