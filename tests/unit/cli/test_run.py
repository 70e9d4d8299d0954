"""`oncall run` passes bytes through, and ends as the script ended."""

import base64
import json

import grpc
import pytest

from oncall.v1.execution_pb2 import (
    EXECUTION_STATUS_CANCELLED,
    EXECUTION_STATUS_COMPLETED,
    EXECUTION_STATUS_FAILED,
    EXECUTION_STATUS_PENDING,
    EXECUTION_STATUS_RUNNING,
    EXECUTION_STATUS_TIMEOUT,
    OUTPUT_STREAM_STDERR,
    OUTPUT_STREAM_STDOUT,
    Execution,
    ExecutionError,
    ExecutionEvent,
    OutputChunk,
)
from oncall.v1.runbook_pb2 import PARAMETER_TYPE_INTEGER, ParameterDefinition, Runbook, RunbookVersion
from oncall.v1.runbook_service_pb2 import (
    ExecuteResponse,
    GetExecutionResponse,
    GetRunbookVersionResponse,
    ListRunbooksResponse,
    WatchExecutionResponse,
)
from oncall.v1.team_service_pb2 import ListTeamsResponse
from tests.unit.cli.conftest import SECONDS, TOKEN, rich_status, wait_until

RUNBOOK = Runbook(id="runbook-id", team_id="team-id", name="restart", current_version=3)
COUNT = ParameterDefinition(name="count", type=PARAMETER_TYPE_INTEGER, required=True)


def a_snapshot(sequence, status, **fields):
    return ExecutionEvent(sequence=sequence, execution=Execution(id="the-id", status=status, version=3, **fields))


def an_output(sequence, data, stream=OUTPUT_STREAM_STDOUT):
    return ExecutionEvent(sequence=sequence, output=OutputChunk(stream=stream, data=data))


def resolve(server, *definitions):
    server.answer("ListRunbooks", ListRunbooksResponse(runbooks=[RUNBOOK]))
    version = RunbookVersion(version=3, parameters=definitions)
    return server.answer("GetRunbookVersion", GetRunbookVersionResponse(version=version))


def play(rpc, response, *events):
    for event in events:
        rpc.send_response(response(event=event))


def end(rpc, code=grpc.StatusCode.OK, message="", metadata=()):
    # The fake channel forgets what was sent and not yet read once a call fails; gRPC does not.
    wait_until(lambda: not rpc._rpc_state._responses)
    rpc.terminate(metadata, code, message)


def test_output_goes_byte_for_byte_to_the_stream_it_was_written_to(server):
    ran = server.run("run", "restart")
    resolve(server)
    _, rpc = server.take("Execute")
    play(
        rpc,
        ExecuteResponse,
        a_snapshot(1, EXECUTION_STATUS_PENDING),
        a_snapshot(2, EXECUTION_STATUS_RUNNING),
        an_output(3, b"out \xff\x1b]0;title\x07\n"),
        an_output(4, b"err \xc3", OUTPUT_STREAM_STDERR),
        an_output(5, b"\xa4\n", OUTPUT_STREAM_STDERR),
        a_snapshot(6, EXECUTION_STATUS_COMPLETED, exit_code=0),
    )
    end(rpc)
    result = ran.result(SECONDS)
    assert result.exit_code == 0
    assert result.stdout_bytes == b"out \xff\x1b]0;title\x07\n"
    assert b"err \xc3\xa4\n" in result.stderr_bytes
    assert "completed" in result.stderr


@pytest.mark.parametrize(
    ("status", "fields", "exit_code"),
    [
        (EXECUTION_STATUS_COMPLETED, {"exit_code": 0}, 0),
        (EXECUTION_STATUS_FAILED, {"exit_code": 3}, 3),
        (EXECUTION_STATUS_FAILED, {"exit_code": 137}, 137),
        (EXECUTION_STATUS_FAILED, {"error": ExecutionError(code="EXECUTOR_LOST", message="gone")}, 70),
        (EXECUTION_STATUS_TIMEOUT, {"exit_code": 143}, 124),
        (EXECUTION_STATUS_CANCELLED, {}, 130),
    ],
)
def test_the_exit_code_tells_how_the_script_ended(server, status, fields, exit_code):
    ran = server.run("run", "restart")
    resolve(server)
    _, rpc = server.take("Execute")
    play(rpc, ExecuteResponse, a_snapshot(1, EXECUTION_STATUS_PENDING), a_snapshot(2, status, **fields))
    end(rpc)
    assert ran.result(SECONDS).exit_code == exit_code


def test_parameters_are_sent_with_the_types_of_the_version_that_runs(server):
    ran = server.run("run", "restart", "-p", "count=3", "--incident", "i", "--confirm", "--request-id", "q")
    resolve(server, COUNT)
    request, rpc = server.take("Execute")
    assert dict(request.parameters) == {"count": 3.0}
    assert (request.runbook_id, request.incident_id, request.confirm, request.request_id) == (
        "runbook-id",
        "i",
        True,
        "q",
    )
    assert ("authorization", f"Bearer {TOKEN}") in server.metadata
    end(
        rpc,
        grpc.StatusCode.PERMISSION_DENIED,
        "no",
        rich_status(grpc.StatusCode.PERMISSION_DENIED, "no", "ROLE_MISSING"),
    )
    assert ran.result(SECONDS).exit_code == 1


def test_wrong_parameters_are_all_named_and_nothing_is_run(server):
    ran = server.run("run", "restart", "-p", "count=three", "-p", "size=1")
    resolve(server, COUNT)
    result = ran.result(SECONDS)
    assert result.exit_code == 2
    assert "count: must be an integer" in result.stderr
    assert "size: there is no such parameter; it takes count" in result.stderr


def test_a_lost_connection_is_taken_up_after_the_last_event(server):
    ran = server.run("run", "restart")
    resolve(server)
    _, rpc = server.take("Execute")
    play(rpc, ExecuteResponse, a_snapshot(1, EXECUTION_STATUS_PENDING), an_output(2, b"one\n"))
    end(rpc, grpc.StatusCode.UNAVAILABLE, "Socket closed")
    request, rpc = server.take("WatchExecution")
    assert (request.execution_id, request.after_sequence) == ("the-id", 2)
    play(rpc, WatchExecutionResponse, an_output(2, b"one\n"), an_output(3, b"two\n"))
    end(rpc, grpc.StatusCode.CANCELLED, "RST_STREAM")
    request, rpc = server.take("WatchExecution")
    assert request.after_sequence == 3
    play(rpc, WatchExecutionResponse, a_snapshot(4, EXECUTION_STATUS_COMPLETED))
    end(rpc)
    result = ran.result(SECONDS)
    assert (result.exit_code, result.stdout) == (0, "one\ntwo\n")
    assert "the connection is lost" in result.stderr


def test_execute_is_repeated_under_one_request_id_until_the_execution_is_known(server):
    ran = server.run("run", "restart")
    resolve(server)
    first, rpc = server.take("Execute")
    end(rpc, grpc.StatusCode.UNAVAILABLE, "Socket closed")
    second, rpc = server.take("Execute")
    assert first == second
    assert first.request_id
    play(rpc, ExecuteResponse, a_snapshot(1, EXECUTION_STATUS_COMPLETED))
    end(rpc)
    assert ran.result(SECONDS).exit_code == 0


def test_a_refusal_in_the_middle_says_how_to_go_on(server):
    ran = server.run("run", "restart")
    resolve(server)
    _, rpc = server.take("Execute")
    play(rpc, ExecuteResponse, a_snapshot(1, EXECUTION_STATUS_PENDING))
    metadata = rich_status(grpc.StatusCode.UNAUTHENTICATED, "revoked", "CREDENTIAL_INVALID")
    end(rpc, grpc.StatusCode.UNAUTHENTICATED, "revoked", metadata)
    result = ran.result(SECONDS)
    assert result.exit_code == 1
    assert "oncall watch the-id --after 1" in result.stderr
    assert TOKEN not in result.output


def test_json_is_one_event_a_line_and_nothing_else_on_stdout(server):
    ran = server.run("run", "restart", "--json")
    resolve(server)
    _, rpc = server.take("Execute")
    play(
        rpc,
        ExecuteResponse,
        a_snapshot(1, EXECUTION_STATUS_PENDING),
        an_output(2, b"\xff\n"),
        a_snapshot(3, EXECUTION_STATUS_COMPLETED),
    )
    end(rpc)
    lines = [json.loads(line) for line in ran.result(SECONDS).stdout.splitlines()]
    assert [line["sequence"] for line in lines] == ["1", "2", "3"]
    assert base64.b64decode(lines[1]["output"]["data"]) == b"\xff\n"
    assert lines[2]["execution"]["status"] == "EXECUTION_STATUS_COMPLETED"


def played_in_json(server):
    ran = server.run("run", "restart", "--json")
    resolve(server)
    _, rpc = server.take("Execute")
    ended = a_snapshot(2, EXECUTION_STATUS_COMPLETED, completed_at={"seconds": 1})
    play(rpc, ExecuteResponse, a_snapshot(1, EXECUTION_STATUS_PENDING), ended)
    end(rpc)
    return ran


def test_the_last_line_of_json_has_what_the_script_left(server):
    ran = played_in_json(server)
    record = Execution(id="the-id", output={"leader": "db-7", "replicas": 3}, output_error="")
    assert server.answer("GetExecution", GetExecutionResponse(execution=record)).execution_id == "the-id"
    last = json.loads(ran.result(SECONDS).stdout.splitlines()[-1])["execution"]
    assert (last["output"], last["output_error"]) == ({"leader": "db-7", "replicas": 3}, "")


def test_what_is_wrong_with_it_is_in_the_last_line_of_json_too(server):
    ran = played_in_json(server)
    record = Execution(id="the-id", output_error="it is empty")
    server.answer("GetExecution", GetExecutionResponse(execution=record))
    last = json.loads(ran.result(SECONDS).stdout.splitlines()[-1])["execution"]
    assert (last.get("output"), last["output_error"]) == (None, "it is empty")


def test_the_last_event_is_shown_also_where_the_record_cannot_be_read(server):
    ran = played_in_json(server)
    server.refuse("GetExecution", grpc.StatusCode.UNAVAILABLE, "away")
    result = ran.result(SECONDS)
    last = json.loads(result.stdout.splitlines()[-1])["execution"]
    assert (result.exit_code, last["status"]) == (0, "EXECUTION_STATUS_COMPLETED")
    assert "`oncall execution the-id` shows it" in result.stderr


def test_detach_prints_the_id_and_leaves(server):
    ran = server.run("run", "restart", "--detach")
    resolve(server)
    _, rpc = server.take("Execute")
    play(rpc, ExecuteResponse, a_snapshot(1, EXECUTION_STATUS_PENDING))
    result = ran.result(SECONDS)
    assert (result.exit_code, result.stdout) == (0, "the-id\n")


def test_a_name_that_several_teams_use_is_refused_naming_them(server):
    ran = server.run("run", "restart")
    twin = Runbook(id="other-id", team_id="other-team-id", name="restart")
    server.answer("ListRunbooks", ListRunbooksResponse(runbooks=[RUNBOOK, twin]))
    teams = ListTeamsResponse()
    teams.teams.add(id="team-id", name="web")
    teams.teams.add(id="other-team-id", name="db")
    server.answer("ListTeams", teams)
    result = ran.result(SECONDS)
    assert result.exit_code == 2
    assert "choose one with --team: db, web" in result.stderr
