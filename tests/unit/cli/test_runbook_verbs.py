"""Every verb that changes or compares a runbook sends what was asked for, and says what came of it."""

from __future__ import annotations

import json

import grpc
import pytest

from oncall.v1 import runbook_pb2
from oncall.v1 import runbook_service_pb2 as pb
from oncall.v1.runbook_pb2 import Runbook, RunbookVersion
from oncall.v1.team_pb2 import Service
from oncall.v1.team_service_pb2 import ListServicesResponse
from tests.unit.cli.conftest import SECONDS

ID = "0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e"
FOUND = Runbook(id=ID, name="restart", team_id="team-id", current_version=2, latest_version=3)


def found(server, runbook: Runbook = FOUND) -> None:
    server.answer("GetRunbook", pb.GetRunbookResponse(runbook=runbook))


def test_update_names_what_it_changes_and_nothing_else(server):
    ran = server.run("runbook", "update", ID, "--description", "", "--service", "web")
    found(server)
    asked = server.answer("ListServices", ListServicesResponse(services=[Service(id="web-id", name="web")]))
    assert asked.team_id == "team-id"
    sent = server.answer("UpdateRunbook", pb.UpdateRunbookResponse(runbook=FOUND))
    assert sorted(sent.update_mask.paths) == ["description", "service_id"]
    assert (sent.runbook.id, sent.runbook.name, sent.runbook.service_id) == (ID, "", "web-id")
    assert ran.result(SECONDS).stdout == "updated restart\n"


def test_update_without_a_change_and_with_an_unknown_service_says_so(server):
    nothing = server.run("runbook", "update", ID).result(SECONDS)
    assert (nothing.exit_code, "say what to change" in nothing.stderr) == (2, True)
    ran = server.run("runbook", "update", ID, "--service", "wbe")
    found(server)
    server.answer("ListServices", ListServicesResponse(services=[Service(id="web-id", name="web")]))
    unknown = ran.result(SECONDS)
    assert (unknown.exit_code, "it has web" in unknown.stderr) == (1, True)


@pytest.mark.parametrize(
    ("verb", "status", "says"),
    [
        ("deprecate", runbook_pb2.RUNBOOK_STATUS_DEPRECATED, "restart is deprecated\n"),
        ("archive", runbook_pb2.RUNBOOK_STATUS_ARCHIVED, "restart is archived\n"),
        ("restore", runbook_pb2.RUNBOOK_STATUS_PENDING_REVIEW, "restart is pending review\n"),
    ],
)
def test_a_runbook_is_taken_out_of_service_and_back(server, verb, status, says):
    answer = getattr(pb, f"{verb.capitalize()}RunbookResponse")(runbook=Runbook(name="restart", status=status))
    for arguments in ((), ("--json",)):
        ran = server.run("runbook", verb, ID, *arguments)
        found(server)
        assert server.answer(f"{verb.capitalize()}Runbook", answer).runbook_id == ID
        shown = ran.result(SECONDS).stdout
        assert (json.loads(shown)["runbook"]["name"] == "restart") if arguments else (shown == says)


def test_rollback_wants_to_be_told_where_to(server):
    missing = server.run("runbook", "rollback", ID).result(SECONDS)
    assert (missing.exit_code, "--version" in missing.stderr) == (2, True)
    ran = server.run("runbook", "rollback", ID, "--version", "1")
    found(server)
    assert server.answer("RollbackRunbook", pb.RollbackRunbookResponse(runbook=FOUND)).version == 1
    assert ran.result(SECONDS).stdout == "version 1 of restart runs from now on\n"


def test_reject_sends_the_digest_that_was_read_and_why(server):
    ran = server.run("runbook", "reject", ID, "--digest", "abc", "--comment", "too broad")
    found(server)
    sent = server.answer("RejectRunbook", pb.RejectRunbookResponse(runbook=FOUND, version=RunbookVersion(version=3)))
    assert (sent.runbook_id, sent.version, sent.digest, sent.comment) == (ID, 3, "abc", "too broad")
    assert ran.result(SECONDS).stdout == "rejected version 3 of restart\n"


def test_reject_without_a_comment_or_a_digest_or_a_terminal_asks_for_it(server):
    assert server.run("runbook", "reject", ID, "--digest", "abc").result(SECONDS).exit_code == 2
    ran = server.run("runbook", "reject", ID, "--comment", "no", stdin="y\n")
    found(server)
    result = ran.result(SECONDS)
    assert (result.exit_code, "--digest" in result.stderr) == (2, True)


def test_withdraw_takes_the_newest_back(server):
    ran = server.run("runbook", "withdraw", ID)
    found(server)
    answer = pb.WithdrawRunbookResponse(runbook=FOUND, version=RunbookVersion(version=3))
    assert server.answer("WithdrawRunbook", answer).version == 0
    assert ran.result(SECONDS).stdout == "version 3 of restart is a draft again\n"


def test_a_refused_move_is_a_sentence_with_its_reason(server):
    ran = server.run("runbook", "deprecate", ID)
    found(server)
    code, message = grpc.StatusCode.FAILED_PRECONDITION, "the runbook is DRAFT and cannot become DEPRECATED"
    server.refuse("DeprecateRunbook", code, message, "ILLEGAL_TRANSITION")
    result = ran.result(SECONDS)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{message} (ILLEGAL_TRANSITION)" in result.stderr


@pytest.mark.parametrize(
    ("runbook", "options", "expected"),
    [
        (FOUND, (), (2, 3)),
        (Runbook(id=ID, current_version=3, latest_version=3), (), (2, 3)),
        (Runbook(id=ID, latest_version=3), (), (2, 3)),
        (Runbook(id=ID, latest_version=1), (), (1, 1)),
        (FOUND, ("--to", "1"), (2, 1)),
        (FOUND, ("--from", "1", "--to", "2"), (1, 2)),
    ],
)
def test_diff_compares_what_runs_with_what_is_new_unless_told_otherwise(server, runbook, options, expected):
    ran = server.run("runbook", "diff", ID, *options)
    found(server, runbook)
    diff = "--- version 1/script\n+++ version 2/script\n@@ -1 +1 @@\n-a\n+b\x1b[2J\n"
    sent = server.answer("DiffRunbookVersions", pb.DiffRunbookVersionsResponse(diff=diff))
    assert (sent.from_version, sent.to_version) == expected
    assert ran.result(SECONDS).stdout == diff.replace("\x1b", "␛")


def test_diff_of_the_same_says_so_beside_the_output_and_json_is_whole(server):
    ran = server.run("runbook", "diff", ID)
    found(server)
    server.answer("DiffRunbookVersions", pb.DiffRunbookVersionsResponse())
    result = ran.result(SECONDS)
    assert (result.stdout, result.stderr) == ("", "version 2 and version 3 run the same\n")
    ran = server.run("runbook", "diff", ID, "--json")
    found(server)
    server.answer("DiffRunbookVersions", pb.DiffRunbookVersionsResponse(diff="\x1b"))
    assert json.loads(ran.result(SECONDS).stdout) == {"from_version": 2, "to_version": 3, "diff": "\x1b"}


def test_versions_are_listed_with_the_one_that_runs(server):
    listed = [
        RunbookVersion(version=3, status=runbook_pb2.RUNBOOK_VERSION_STATUS_REJECTED, review_comment="no\nno"),
        RunbookVersion(version=2, status=runbook_pb2.RUNBOOK_VERSION_STATUS_APPROVED, digest="d" * 64),
    ]
    ran = server.run("runbook", "versions", ID)
    found(server)
    asked = server.answer("ListRunbookVersions", pb.ListRunbookVersionsResponse(versions=listed))
    assert (asked.runbook_id, asked.page_size) == (ID, 500)
    rows = [line.split() for line in ran.result(SECONDS).stdout.splitlines()]
    assert rows[1:] == [["3", "REJECTED", "no"], ["2", "APPROVED", "yes", "d" * 16]]
