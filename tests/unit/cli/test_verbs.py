"""Lists are read to their end, refusals are sentences, and every verb does with a call what it says."""

import json

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct

from cli.main import app
from oncall.v1.execution_pb2 import EXECUTION_STATUS_COMPLETED, EXECUTION_STATUS_FAILED, Execution
from oncall.v1.runbook_pb2 import (
    PARAMETER_TYPE_INTEGER,
    RUNBOOK_STATUS_APPROVED,
    RUNBOOK_STATUS_DRAFT,
    SCRIPT_LANGUAGE_BASH,
    SCRIPT_LANGUAGE_PYTHON,
    Runbook,
    RunbookVersion,
)
from oncall.v1.runbook_service_pb2 import (
    CancelExecutionResponse,
    CreateRunbookResponse,
    CreateRunbookVersionResponse,
    GetExecutionResponse,
    GetRunbookResponse,
    GetRunbookVersionResponse,
    ListExecutionsResponse,
    ListRunbooksResponse,
)
from oncall.v1.team_pb2 import ROLE_TEAM_ADMIN, Membership, Team, User
from oncall.v1.team_service_pb2 import GetCallerResponse, ListTeamsResponse
from tests.unit.cli.conftest import SECONDS, TOKEN

TEAMS = ListTeamsResponse(teams=[Team(id="team-id", name="web")])
RUNBOOK_ID = "0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e"


def a_caller(*teams: str) -> GetCallerResponse:
    memberships = [Membership(team_id=f"{name}-id", team_name=name, role=ROLE_TEAM_ADMIN) for name in teams]
    return GetCallerResponse(user=User(display_name="Ada", email="ada@example.org"), memberships=memberships)


def some_runbooks(*names: str) -> list[Runbook]:
    return [Runbook(id=name, name=name, team_id="team-id", status=RUNBOOK_STATUS_APPROVED) for name in names]


def test_a_list_is_read_page_after_page_with_the_same_filters(server):
    ran = server.run("runbook", "list", "--status", "approved", "--query", "r", "--json")
    first = server.answer("ListRunbooks", ListRunbooksResponse(runbooks=some_runbooks("a", "b"), next_page_token="p2"))
    assert (first.status, first.query, first.page_size) == (RUNBOOK_STATUS_APPROVED, "r", 500)
    second = server.answer("ListRunbooks", ListRunbooksResponse(runbooks=some_runbooks("c")))
    assert (second.status, second.query, second.page_token) == (RUNBOOK_STATUS_APPROVED, "r", "p2")
    assert [r["name"] for r in json.loads(ran.result(SECONDS).stdout)["runbooks"]] == ["a", "b", "c"]


def test_a_limit_asks_for_no_more_than_it_needs(server):
    ran = server.run("executions", "--limit", "2", "--json")
    page = ListExecutionsResponse(executions=[Execution(id="a"), Execution(id="b")], next_page_token="more")
    assert server.answer("ListExecutions", page).page_size == 2
    assert [e["id"] for e in json.loads(ran.result(SECONDS).stdout)["executions"]] == ["a", "b"]


def test_a_redirected_table_is_a_line_a_row_without_colours_or_controls(server):
    ran = server.run("runbook", "list")
    hostile = Runbook(id="1", name="r", team_id="team-id", description="[red]bold[/]\x1b[2J" + "long " * 60)
    server.answer("ListRunbooks", ListRunbooksResponse(runbooks=[hostile]))
    server.answer("ListTeams", TEAMS)
    lines = ran.result(SECONDS).stdout.splitlines()
    assert len(lines) == 2
    assert "[red]bold[/]␛[2J" in lines[1]
    assert "web" in lines[1]


def test_an_empty_list_says_so_beside_the_output(server):
    ran = server.run("executions")
    server.answer("ListExecutions", ListExecutionsResponse())
    result = ran.result(SECONDS)
    assert (result.stdout, result.stderr, result.exit_code) == ("", "no executions\n", 0)


def test_executions_are_listed_by_the_name_of_their_runbook(server):
    ran = server.run("executions", "--status", "failed")
    failed = Execution(id="e", runbook_id="r", version=2, status=EXECUTION_STATUS_FAILED, exit_code=3)
    assert (
        server.answer("ListExecutions", ListExecutionsResponse(executions=[failed])).status == EXECUTION_STATUS_FAILED
    )
    server.answer("GetRunbook", GetRunbookResponse(runbook=Runbook(name="restart")))
    assert ran.result(SECONDS).stdout.splitlines()[1].split() == ["e", "restart", "2", "FAILED", "3"]


@pytest.mark.parametrize(
    ("code", "reason", "exit_code", "says"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_INVALID", 1, "run `oncall login`"),
        (grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING", 1, "the message (ROLE_MISSING)"),
        (grpc.StatusCode.UNAVAILABLE, "", 3, "cannot reach the server at oncall.test:7443"),
        (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", 3, "cannot answer just now"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "", 3, "did not answer in time"),
        (grpc.StatusCode.UNIMPLEMENTED, "", 1, "older than this command"),
        (grpc.StatusCode.INTERNAL, "", 1, "the message (INTERNAL)"),
    ],
)
def test_a_refusal_is_one_sentence_that_says_what_to_do(server, code, reason, exit_code, says):
    ran = server.run("executions")
    server.refuse("ListExecutions", code, "the message", reason)
    result = ran.result(SECONDS)
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert TOKEN not in result.stderr


def test_every_bad_field_is_a_line(server, tmp_path):
    script = tmp_path / "a.sh"
    script.write_text("x")
    ran = server.run("runbook", "create", "a b", "--script", str(script), "--team", RUNBOOK_ID)
    bad = {"runbook.name": "must not contain spaces", "version.timeout_seconds": "must be\x1b[2J 1 to 300"}
    server.refuse("CreateRunbook", grpc.StatusCode.INVALID_ARGUMENT, "bad", "INVALID_ARGUMENT", violations=bad)
    assert ran.result(SECONDS).stderr.splitlines()[1:] == [
        "  runbook.name: must not contain spaces",
        "  version.timeout_seconds: must be␛[2J 1 to 300",
    ]


def test_create_sends_what_the_options_say_to_the_only_team(server):
    ran = server.run(
        "runbook", "create", "r", "--script", "-", "--language", "python", "--timeout", "5", "--max-retries", "2",
        "--requires-confirm", "-p", "n:integer:required", "--note", "why", "--network", "host", "--secret", "key",
        "--executor-tag", "gpu", "--executor-tag", "eu",
        stdin="print(1)\r\n",
    )  # fmt: skip
    server.answer("GetCaller", a_caller("web"))
    sent = server.answer("CreateRunbook", CreateRunbookResponse(version=RunbookVersion(digest="abc")))
    assert (sent.runbook.name, sent.runbook.team_id, bool(sent.request_id)) == ("r", "web-id", True)
    version = sent.version
    assert (version.script, version.language) == ("print(1)\r\n", SCRIPT_LANGUAGE_PYTHON)
    assert (version.timeout_seconds, version.max_retries, version.requires_confirm) == (5, 2, True)
    assert (version.change_note, list(version.secret_names)) == ("why", ["key"])
    assert list(version.executor_tags) == ["gpu", "eu"]
    assert [(p.name, p.type, p.required) for p in version.parameters] == [("n", PARAMETER_TYPE_INTEGER, True)]
    assert "digest abc" in ran.result(SECONDS).stdout


def test_create_in_one_of_several_teams_needs_to_be_told_which(server, tmp_path):
    script = tmp_path / "a.sh"
    script.write_text("x")
    ran = server.run("runbook", "create", "r", "--script", str(script))
    server.answer("GetCaller", a_caller("web", "db"))
    result = ran.result(SECONDS)
    assert (result.exit_code, "choose one with --team: db, web" in result.stderr) == (2, True)


def test_revise_adds_a_version_to_what_is_there(server, tmp_path):
    script = tmp_path / "a.sh"
    script.write_text("x")
    ran = server.run("runbook", "revise", RUNBOOK_ID, "--script", str(script))
    server.answer("GetRunbook", GetRunbookResponse(runbook=Runbook(id=RUNBOOK_ID, name="r")))
    sent = server.answer("CreateRunbookVersion", CreateRunbookVersionResponse(version=RunbookVersion(version=4)))
    assert (sent.runbook_id, sent.version.language) == (RUNBOOK_ID, SCRIPT_LANGUAGE_BASH)
    assert "created version 4" in ran.result(SECONDS).stdout


def test_show_prints_the_script_alone_where_that_is_asked_for(server):
    ran = server.run("runbook", "show", RUNBOOK_ID, "--script", "--version", "2")
    server.answer("GetRunbook", GetRunbookResponse(runbook=Runbook(id=RUNBOOK_ID)))
    version = RunbookVersion(script="echo 'a\tb'\n", language=SCRIPT_LANGUAGE_BASH)
    assert server.answer("GetRunbookVersion", GetRunbookVersionResponse(version=version)).version == 2
    assert ran.result(SECONDS).stdout == "echo 'a\tb'\n"


def test_approving_without_a_digest_needs_a_terminal(server):
    ran = server.run("runbook", "approve", RUNBOOK_ID, "--version", "1", stdin="y\n")
    server.answer("GetRunbook", GetRunbookResponse(runbook=Runbook(id=RUNBOOK_ID, status=RUNBOOK_STATUS_DRAFT)))
    result = ran.result(SECONDS)
    assert (result.exit_code, "--digest" in result.stderr) == (2, True)


def test_an_execution_is_shown_with_its_parameters_as_they_were_given(server):
    ran = server.run("execution", "the-id")
    parameters = Struct()
    parameters.update({"count": 1234567, "force": True, "host": "web"})
    execution = Execution(id="the-id", runbook_id="r", parameters=parameters, stdout="a\x1b[2J\n", stdout_size=6)
    server.answer("GetExecution", GetExecutionResponse(execution=execution))
    server.answer("GetRunbook", GetRunbookResponse(runbook=Runbook(name="restart")))
    shown = ran.result(SECONDS).stdout
    assert "  count  1234567\n" in shown
    assert "  force  true\n" in shown
    assert "a␛[2J" in shown


def test_waiting_for_a_cancellation_that_came_too_late_is_exit_code_1(server):
    ran = server.run("cancel", "the-id", "--wait")
    server.answer("CancelExecution", CancelExecutionResponse(execution=Execution(id="the-id")))
    ended = Execution(id="the-id", status=EXECUTION_STATUS_COMPLETED)
    ended.completed_at.FromSeconds(10)
    server.answer("GetExecution", GetExecutionResponse(execution=Execution(id="the-id")))
    server.answer("GetExecution", GetExecutionResponse(execution=ended))
    assert ran.result(SECONDS).exit_code == 1


def test_no_argument_takes_a_token(server):
    for verb in ("login", "whoami", "run"):
        shown = server.run(verb, "--help").result(SECONDS).stdout
        assert "--token" not in shown


def test_the_list_of_verbs_says_what_each_says_of_itself(server):
    """The table's help lines are written twice, so that help needs no import; they must not drift apart."""
    listed = server.run("--help").result(SECONDS).stdout
    for name, verb in app.info.cls.verbs.items():  # type: ignore[union-attr]
        own = server.run(name, "--help").result(SECONDS)
        assert (own.exit_code, name in listed) == (0, True)
        if name not in {"up", "admin"}:  # they say more of themselves
            assert verb.help.removesuffix(".") in " ".join(own.stdout.split()), name


def test_a_verb_typed_wrongly_is_answered_with_the_one_that_was_meant(server):
    result = server.run("runbok").result(SECONDS)
    assert (result.exit_code, "Did you mean 'runbook'" in result.stderr) == (2, True)
