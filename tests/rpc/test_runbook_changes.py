"""Renaming, rolling back, retiring and restoring a runbook, over the wire: what each moves and what it leaves alone."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import select

from kernel.tables import audit_events
from oncall.v1 import runbook_pb2, team_pb2
from oncall.v1 import runbook_service_pb2 as pb
from oncall.v1 import team_service_pb2 as team_pb
from tests.builders import Person, TeamWithPeople, a_draft_runbook, a_team, an_approved_runbook
from tests.rpc.conftest import Refusal, RunningServer, refusal_of, stream_refusal_of
from tests.rpc.test_review import Review

INVALID, PRECONDITION = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION
STALE = Refusal(grpc.StatusCode.ABORTED, "STALE_ETAG")
DRAFT, PENDING_REVIEW = runbook_pb2.RUNBOOK_STATUS_DRAFT, runbook_pb2.RUNBOOK_STATUS_PENDING_REVIEW
APPROVED, DEPRECATED = runbook_pb2.RUNBOOK_STATUS_APPROVED, runbook_pb2.RUNBOOK_STATUS_DEPRECATED
ARCHIVED = runbook_pb2.RUNBOOK_STATUS_ARCHIVED


class Changes(Review):
    """One runbook, and the calls that change it as a whole; all by the author."""

    def __init__(self, server: RunningServer, team: TeamWithPeople, runbook_id: UUID) -> None:
        super().__init__(server, str(runbook_id))
        self._author = team.author

    async def update(self, *paths: str, by: Person | None = None, **fields: Any) -> runbook_pb2.Runbook:
        request = pb.UpdateRunbookRequest(
            runbook=runbook_pb2.Runbook(**{"id": self.id, **fields}), update_mask=FieldMask(paths=paths)
        )
        return (await self._stub.UpdateRunbook(request, metadata=(by or self._author).metadata)).runbook

    async def move(self, verb: str, **fields: Any) -> runbook_pb2.Runbook:
        """Calls Deprecate-, Archive-, Restore- or RollbackRunbook."""
        request = getattr(pb, f"{verb}RunbookRequest")(runbook_id=self.id, **fields)
        answer = await getattr(self._stub, f"{verb}Runbook")(request, metadata=self._author.metadata)
        runbook: runbook_pb2.Runbook = answer.runbook
        return runbook

    async def now(self) -> runbook_pb2.Runbook:
        return await self.runbook(self._author)

    def execute(self, by: Person, **fields: Any) -> Any:
        return self._stub.Execute(pb.ExecuteRequest(runbook_id=self.id, **fields), metadata=by.metadata)


@pytest.fixture
async def approved(running_server: RunningServer, team: TeamWithPeople) -> Changes:
    runbook = await an_approved_runbook(running_server.sessions, team, name="approved")
    return Changes(running_server, team, runbook.id)


@pytest.fixture
async def draft(running_server: RunningServer, team: TeamWithPeople) -> Changes:
    runbook = await a_draft_runbook(running_server.sessions, team, name="draft")
    return Changes(running_server, team, runbook.id)


async def _illegal(call: Awaitable[Any]) -> dict[str, str]:
    refused = await refusal_of(call)
    assert (refused.code, refused.reason) == (PRECONDITION, "ILLEGAL_TRANSITION")
    assert all(state in refused.message for state in refused.metadata.values())
    return refused.metadata


async def test_an_update_changes_what_its_mask_names_and_nothing_else(
    approved: Changes, running_server: RunningServer, team: TeamWithPeople
) -> None:
    before = await approved.now()
    renamed = await approved.update("name", name="renamed", description="not named in the mask")
    assert (renamed.name, renamed.description, renamed.current_version) == ("renamed", "", 1)
    assert renamed.etag != before.etag
    service = await running_server.teams.CreateService(
        team_pb.CreateServiceRequest(service=team_pb2.Service(team_id=str(team.id), name="web")),
        metadata=team.author.metadata,
    )
    both = await approved.update("description", "service_id", description="why", service_id=service.service.id)
    assert (both.name, both.description, both.service_id) == ("renamed", "why", service.service.id)
    assert (await approved.update("service_id")).service_id == ""
    assert (await approved.now()).description == "why"


async def test_an_update_that_changes_nothing_leaves_no_trace(approved: Changes, running_server: RunningServer) -> None:
    stored = await running_server.everything_stored()
    unchanged = await approved.update("name", "description", name="approved")
    assert unchanged == await approved.now()
    assert await running_server.everything_stored() == stored


@pytest.mark.parametrize("paths", [(), ("status",), ("name", "script"), ("*",), ("runbook.name",), ("",)])
async def test_a_mask_that_names_nothing_or_something_else_is_refused(
    approved: Changes, paths: tuple[str, ...]
) -> None:
    refused = await refusal_of(approved.update(*paths, name="new"))
    assert refused == Refusal(INVALID, "INVALID_ARGUMENT", ("update_mask",))


async def test_an_update_is_checked_as_a_creation_is(
    approved: Changes, draft: Changes, running_server: RunningServer, team: TeamWithPeople
) -> None:
    bad = await refusal_of(approved.update("name", "description", "service_id", name="-", service_id="x"))
    assert bad == Refusal(INVALID, "INVALID_ARGUMENT", ("runbook.name", "runbook.service_id"))
    assert (await approved.update("description", name="-", description="fine")).description == "fine"
    taken = await refusal_of(approved.update("name", name="draft"))
    assert taken == Refusal(grpc.StatusCode.ALREADY_EXISTS, "RUNBOOK_NAME_TAKEN")
    stranger = await a_team(running_server.sessions)
    foreign = await running_server.teams.CreateService(
        team_pb.CreateServiceRequest(service=team_pb2.Service(team_id=str(stranger.id), name="theirs")),
        metadata=stranger.author.metadata,
    )
    for service_id in (foreign.service.id, str(uuid4())):
        refused = await refusal_of(approved.update("service_id", service_id=service_id))
        assert refused == Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    refused = await refusal_of(approved.update("name", name="x", by=team.responder))
    assert refused.code == grpc.StatusCode.PERMISSION_DENIED


async def test_a_stale_etag_aborts_every_change(approved: Changes, team: TeamWithPeople) -> None:
    etag = (await approved.now()).etag
    await approved.update("description", description="changed", etag=etag)
    assert await refusal_of(approved.update("name", name="new", etag=etag)) == STALE
    for verb in ("Deprecate", "Archive", "Restore"):
        assert await refusal_of(approved.move(verb, etag=etag)) == STALE
    assert await refusal_of(approved.move("Rollback", etag=etag, version=1)) == STALE
    digest = (await approved.version(team.author)).digest
    for request in (
        pb.SubmitRunbookForReviewRequest(runbook_id=approved.id, etag=etag),
        pb.WithdrawRunbookRequest(runbook_id=approved.id, etag=etag),
        pb.ApproveRunbookRequest(runbook_id=approved.id, version=2, digest=digest, etag=etag),
        pb.RejectRunbookRequest(runbook_id=approved.id, version=2, digest=digest, etag=etag, comment="no"),
    ):
        method = getattr(approved._stub, type(request).__name__.removesuffix("Request"))
        assert await refusal_of(method(request, metadata=team.reviewer.metadata)) == STALE


async def test_a_rollback_makes_an_approved_version_current_and_no_other(
    approved: Changes, draft: Changes, team: TeamWithPeople
) -> None:
    await approved.version(team.author)
    not_approved = Refusal(PRECONDITION, "VERSION_NOT_APPROVED")
    assert await refusal_of(approved.move("Rollback", version=2)) == not_approved
    await approved.submit(team.author)
    await approved.approve(team.reviewer, 2)
    back = await approved.move("Rollback", version=1)
    assert (back.current_version, back.latest_version, back.status) == (1, 2, APPROVED)
    call = approved.execute(team.responder)
    assert (await call.read()).event.execution.version == 1
    call.cancel()
    assert await approved.move("Rollback", version=1) == back
    assert (await approved.move("Rollback", version=2)).current_version == 2
    assert (await refusal_of(approved.move("Rollback", version=9))).code == grpc.StatusCode.NOT_FOUND
    assert await refusal_of(approved.move("Rollback")) == Refusal(INVALID, "INVALID_ARGUMENT", ("version",))
    assert await refusal_of(draft.move("Rollback", version=1)) == not_approved
    await approved.move("Archive")
    assert (await refusal_of(approved.move("Rollback", version=1))).reason == "RUNBOOK_ARCHIVED"


async def test_a_deprecated_runbook_runs_with_a_warning_in_its_first_event(
    approved: Changes, team: TeamWithPeople
) -> None:
    assert (await approved.move("Deprecate")).status == DEPRECATED
    call = approved.execute(team.responder)
    first = (await call.read()).event
    call.cancel()
    assert (first.sequence, list(first.warnings)) == (1, ["this runbook is deprecated"])
    assert await _illegal(approved.move("Deprecate")) == {"from": "DEPRECATED", "to": "DEPRECATED"}
    assert (await approved.move("Restore")).status == APPROVED
    call = approved.execute(team.responder)
    assert not (await call.read()).event.warnings
    call.cancel()


async def test_an_archived_runbook_does_not_run_and_archiving_it_again_changes_nothing(
    approved: Changes, running_server: RunningServer, team: TeamWithPeople
) -> None:
    archived = await approved.move("Archive")
    assert (archived.status, archived.current_version) == (ARCHIVED, 1)
    assert (await stream_refusal_of(approved.execute(team.responder))).reason == "RUNBOOK_NOT_RUNNABLE"
    stored = await running_server.everything_stored()
    assert await approved.move("Archive") == archived
    assert await running_server.everything_stored() == stored
    for call in (approved.version(team.author), approved.submit(team.author)):
        assert (await refusal_of(call)).reason == "RUNBOOK_ARCHIVED"
    assert await _illegal(approved.move("Deprecate")) == {"from": "ARCHIVED", "to": "DEPRECATED"}
    assert (await approved.update("name", name="freed")).name == "freed"


async def test_a_restored_runbook_is_where_its_versions_put_it(
    approved: Changes, draft: Changes, team: TeamWithPeople
) -> None:
    assert await _illegal(draft.move("Restore")) == {"from": "DRAFT", "to": "DRAFT"}
    assert await _illegal(draft.move("Deprecate")) == {"from": "DRAFT", "to": "DEPRECATED"}
    await draft.move("Archive")
    assert (await draft.move("Restore")).status == DRAFT
    await draft.submit(team.author)
    await draft.move("Archive")
    assert (await draft.move("Restore")).status == PENDING_REVIEW
    await approved.version(team.author)
    await approved.submit(team.author)
    for verbs in (("Archive",), ("Deprecate",), ("Deprecate", "Archive")):
        for verb in verbs:
            await approved.move(verb)
        assert (await approved.move("Restore")).status == APPROVED
    assert await _illegal(approved.move("Restore")) == {"from": "APPROVED", "to": "APPROVED"}


async def test_a_rejection_needs_other_eyes_a_digest_and_a_comment_and_is_final(
    draft: Changes, team: TeamWithPeople
) -> None:
    digest = (await draft.submit(team.author)).version.digest

    async def reject(by: Person, **fields: Any) -> pb.RejectRunbookResponse:
        wanted = {"runbook_id": draft.id, "version": 1, "digest": digest, "comment": "too broad", **fields}
        return await draft._stub.RejectRunbook(pb.RejectRunbookRequest(**wanted), metadata=by.metadata)

    assert (await refusal_of(reject(team.author))).reason == "SELF_APPROVAL"
    assert (await refusal_of(reject(team.reviewer, digest="0" * 64))).reason == "DIGEST_MISMATCH"
    for field in ("comment", "digest"):
        refused = await refusal_of(reject(team.reviewer, **{field: ""}))
        assert refused == Refusal(INVALID, "INVALID_ARGUMENT", (field,))
    rejected = await reject(team.reviewer)
    assert (rejected.runbook.status, rejected.version.review_comment) == (DRAFT, "too broad")
    assert rejected.version.status == runbook_pb2.RUNBOOK_VERSION_STATUS_REJECTED
    assert rejected.version.reviewed_by == str(team.reviewer.id)
    assert await _illegal(reject(team.reviewer)) == {"from": "REJECTED", "to": "REJECTED"}
    assert await _illegal(draft.submit(team.author)) == {"from": "REJECTED", "to": "PENDING_REVIEW"}


async def test_what_is_withdrawn_is_a_draft_again_and_waits_only_while_another_does(
    draft: Changes, team: TeamWithPeople
) -> None:
    async def withdraw(version: int = 0) -> pb.WithdrawRunbookResponse:
        request = pb.WithdrawRunbookRequest(runbook_id=draft.id, version=version)
        return await draft._stub.WithdrawRunbook(request, metadata=team.author.metadata)

    assert await _illegal(withdraw()) == {"from": "DRAFT", "to": "DRAFT"}
    await draft.submit(team.author, 1)
    await draft.version(team.author)
    await draft.submit(team.author, 2)
    first = await withdraw(1)
    assert (first.runbook.status, first.version.submitted_by) == (PENDING_REVIEW, "")
    assert first.version.status == runbook_pb2.RUNBOOK_VERSION_STATUS_DRAFT
    assert (await withdraw()).runbook.status == DRAFT
    await draft.submit(team.reviewer, 1)
    assert (await refusal_of(draft.approve(team.reviewer, 1))).reason == "SELF_APPROVAL"


async def test_a_difference_shows_settings_and_script_and_is_empty_where_the_digest_is_the_same(
    approved: Changes, team: TeamWithPeople
) -> None:
    async def diff(one: int, other: int) -> str:
        request = pb.DiffRunbookVersionsRequest(runbook_id=approved.id, from_version=one, to_version=other)
        return (await approved._stub.DiffRunbookVersions(request, metadata=team.observer.metadata)).diff

    await approved.version(team.author, script="echo hello\necho bye\n", timeout_seconds=120)
    await approved.version(team.author, script="echo hello\n", change_note="runs the same as version 1")
    shown = await diff(1, 2)
    assert "-timeout_seconds: 60\n+timeout_seconds: 120\n" in shown
    assert shown.endswith("--- version 1/script\n+++ version 2/script\n@@ -1 +1,2 @@\n echo hello\n+echo bye\n")
    assert (await diff(1, 1), await diff(1, 3)) == ("", "")
    assert await refusal_of(diff(0, -1)) == Refusal(INVALID, "INVALID_ARGUMENT", ("from_version", "to_version"))
    assert (await refusal_of(diff(1, 9))).code == grpc.StatusCode.NOT_FOUND


async def test_every_move_is_audited_with_who_and_what(
    approved: Changes, running_server: RunningServer, team: TeamWithPeople
) -> None:
    await approved.update("name", name="renamed")
    for verb in ("Deprecate", "Archive", "Restore"):
        await approved.move(verb)
    digest = (await approved.version(team.author)).digest
    await approved.submit(team.author)
    await approved._stub.WithdrawRunbook(
        pb.WithdrawRunbookRequest(runbook_id=approved.id), metadata=team.author.metadata
    )
    await approved.submit(team.author)
    await approved.approve(team.reviewer, 2)
    await approved.move("Rollback", version=1)
    async with running_server.sessions() as session:
        rows = (await session.execute(select(audit_events).order_by(audit_events.c.id))).all()
    assert [row.action for row in rows] == [
        "runbook.updated", "runbook.deprecated", "runbook.archived", "runbook.restored", "runbook.version_created",
        "runbook.submitted", "runbook.withdrawn", "runbook.submitted", "runbook.approved", "runbook.rolled_back",
    ]  # fmt: skip
    assert {(row.team_id, row.resource_id) for row in rows} == {(team.id, approved.id)}
    assert rows[2].detail == {"from_status": "DEPRECATED", "to_status": "ARCHIVED"}
    assert (rows[8].actor_id, rows[8].detail["digest"]) == (team.reviewer.id, digest)
    assert rows[9].detail["from_version"] == 2
