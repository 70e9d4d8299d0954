"""Two admins approve and edit at the same moment: one of them is told, and what runs is what was approved."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kernel.database import transaction
from oncall.v1 import runbook_pb2
from oncall.v1 import runbook_service_pb2 as pb
from server.domain.permission import Role
from tests.builders import Person, TeamWithPeople, a_draft_runbook, a_member, an_approved_runbook
from tests.rpc.conftest import RunningServer, as_refusal

ROUNDS = int(os.environ.get("ONCALL_TEST_RACES", "100"))


class Race:
    """A runbook with a version 1 that runs and a version 2 that waits for review, both read by everybody."""

    def __init__(self, server: RunningServer, team: TeamWithPeople, editor: Person) -> None:
        self.stub, self.team, self.editor, self._sessions = server.runbooks, team, editor, server.sessions
        self.id = self.etag = self.digest = ""

    async def begin(self, number: int) -> None:
        self.id = str((await an_approved_runbook(self._sessions, self.team)).id)
        version = runbook_pb2.RunbookVersion(script=f"echo {number}", language=runbook_pb2.SCRIPT_LANGUAGE_BASH)
        request = pb.CreateRunbookVersionRequest(runbook_id=self.id, version=version)
        await self.stub.CreateRunbookVersion(request, metadata=self.team.author.metadata)
        submitted = await self.stub.SubmitRunbookForReview(
            pb.SubmitRunbookForReviewRequest(runbook_id=self.id), metadata=self.team.author.metadata
        )
        self.etag, self.digest = submitted.runbook.etag, submitted.version.digest

    async def approve(self, etag: str) -> Any:
        request = pb.ApproveRunbookRequest(runbook_id=self.id, version=2, digest=self.digest, etag=etag)
        return await self.stub.ApproveRunbook(request, metadata=self.team.reviewer.metadata)

    async def reject(self, etag: str) -> Any:
        request = pb.RejectRunbookRequest(runbook_id=self.id, version=2, digest=self.digest, etag=etag, comment="no")
        return await self.stub.RejectRunbook(request, metadata=self.editor.metadata)

    async def withdraw(self, etag: str) -> Any:
        request = pb.WithdrawRunbookRequest(runbook_id=self.id, version=2, etag=etag)
        return await self.stub.WithdrawRunbook(request, metadata=self.editor.metadata)

    async def rename(self, etag: str) -> Any:
        new = runbook_pb2.Runbook(id=self.id, description="edited", etag=etag)
        request = pb.UpdateRunbookRequest(runbook=new, update_mask=FieldMask(paths=["description"]))
        return await self.stub.UpdateRunbook(request, metadata=self.editor.metadata)

    async def revise(self, etag: str) -> Any:
        version = runbook_pb2.RunbookVersion(script="echo edited", language=runbook_pb2.SCRIPT_LANGUAGE_BASH)
        request = pb.CreateRunbookVersionRequest(runbook_id=self.id, version=version, etag=etag)
        return await self.stub.CreateRunbookVersion(request, metadata=self.editor.metadata)

    async def archive(self, etag: str) -> Any:
        request = pb.ArchiveRunbookRequest(runbook_id=self.id, etag=etag)
        return await self.stub.ArchiveRunbook(request, metadata=self.editor.metadata)

    async def what_runs(self) -> tuple[int, str] | str:
        """Answers version and digest of an execution that is accepted now, or the reason why none is."""
        call = self.stub.Execute(pb.ExecuteRequest(runbook_id=self.id), metadata=self.team.responder.metadata)
        try:
            execution = (await call.read()).event.execution
        except grpc.aio.AioRpcError as error:
            return as_refusal(error).reason
        call.cancel()
        return execution.version, execution.digest

    async def version(self, number: int) -> runbook_pb2.RunbookVersion:
        request = pb.GetRunbookVersionRequest(runbook_id=self.id, version=number)
        return (await self.stub.GetRunbookVersion(request, metadata=self.team.observer.metadata)).version


async def outcome(call: Awaitable[Any]) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return f"{error.code().name} {as_refusal(error).reason}"
    return "OK"


async def both(first: Awaitable[Any], second: Awaitable[Any], *, turned: bool) -> tuple[str, str]:
    """Makes two calls at once and answers how they went; `turned` sends the second one first."""
    if turned:
        later, earlier = await asyncio.gather(outcome(second), outcome(first))
        return earlier, later
    earlier, later = await asyncio.gather(outcome(first), outcome(second))
    return earlier, later


@pytest.fixture
async def race(running_server: RunningServer, team: TeamWithPeople) -> Race:
    return Race(running_server, team, await a_member(running_server.sessions, team.id, Role.TEAM_ADMIN))


async def test_of_an_approval_and_an_edit_of_what_both_have_read_one_is_aborted(race: Race) -> None:
    """Both name the etag they read. Whoever comes second is told; what was approved, and nothing else, runs."""
    edits: tuple[Callable[[str], Awaitable[Any]], ...] = (
        race.rename,
        race.revise,
        race.reject,
        race.withdraw,
        race.archive,
    )
    winners = set()
    for number in range(ROUNDS):
        await race.begin(number)
        before = await race.version(1)
        edit = edits[number % len(edits)]
        results = await both(race.approve(race.etag), edit(race.etag), turned=number % 2 == 0)
        assert sorted(results) == ["ABORTED STALE_ETAG", "OK"], (edit, results)
        approved = results[0] == "OK"
        winners.add(approved)
        if approved:
            assert await race.what_runs() == (2, race.digest)
        else:
            expected = "RUNBOOK_NOT_RUNNABLE" if edit == race.archive else (1, before.digest)
            assert await race.what_runs() == expected
    assert ROUNDS < 20 or winners == {True, False}


async def test_without_etags_both_happen_one_after_the_other_and_what_runs_is_what_was_approved(race: Race) -> None:
    for number in range(ROUNDS // 4):
        await race.begin(number)
        results = await both(race.approve(""), race.revise(""), turned=number % 2 == 0)
        assert results == ("OK", "OK")
        assert await race.what_runs() == (2, race.digest)
        assert (await race.version(2)).script == f"echo {number}"

        await race.begin(number)
        approved, rejected = await both(race.approve(""), race.reject(""), turned=number % 2 == 0)
        assert sorted((approved, rejected)) == ["FAILED_PRECONDITION ILLEGAL_TRANSITION", "OK"]
        status = (await race.version(2)).status
        assert (status == runbook_pb2.RUNBOOK_VERSION_STATUS_APPROVED) is (approved == "OK")
        assert (await race.what_runs())[0] == (2 if approved == "OK" else 1)


async def test_two_approvals_at_once_are_one(race: Race) -> None:
    for number in range(ROUNDS // 10):
        await race.begin(number)
        results = await both(race.approve(""), race.approve(""), turned=False)
        assert sorted(results) == ["FAILED_PRECONDITION ILLEGAL_TRANSITION", "OK"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runbook_versions SET script = 'rm -rf /'",
        "UPDATE runbook_versions SET settings = '{}', digest = 'd' WHERE version = 1",
        "UPDATE runbook_versions SET change_note = change_note",
    ],
)
async def test_the_database_itself_refuses_to_change_a_version(
    running_server: RunningServer, team: TeamWithPeople, statement: str
) -> None:
    runbook = await a_draft_runbook(running_server.sessions, team)
    stored = await running_server.everything_stored()
    with pytest.raises(DBAPIError, match="runbook_versions rows are written once"):
        async with transaction(running_server.sessions) as tx:
            await tx.session.execute(text(statement))
    assert await running_server.everything_stored() == stored
    assert runbook.latest_version == 1
