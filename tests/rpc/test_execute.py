"""Execute: what is accepted, what its stream begins with, and what a repeat of it does."""

from __future__ import annotations

from oncall.v1 import execution_pb2, runbook_pb2
from oncall.v1 import runbook_service_pb2 as pb
from tests.builders import TeamWithPeople
from tests.rpc.conftest import RunningServer


async def test_what_was_created_submitted_and_approved_can_be_executed_and_watched(
    running_server: RunningServer, team: TeamWithPeople
) -> None:
    runbooks, author = running_server.runbooks, team.author.metadata
    created = await runbooks.CreateRunbook(
        pb.CreateRunbookRequest(
            runbook=runbook_pb2.Runbook(team_id=str(team.id), name="restart"),
            version=runbook_pb2.RunbookVersion(script="echo hello", language=runbook_pb2.SCRIPT_LANGUAGE_BASH),
        ),
        metadata=author,
    )
    runbook_id = created.runbook.id
    await runbooks.SubmitRunbookForReview(pb.SubmitRunbookForReviewRequest(runbook_id=runbook_id), metadata=author)
    approved = await runbooks.ApproveRunbook(
        pb.ApproveRunbookRequest(runbook_id=runbook_id, version=1, digest=created.version.digest),
        metadata=team.reviewer.metadata,
    )
    assert approved.runbook.status == runbook_pb2.RUNBOOK_STATUS_APPROVED
    call = runbooks.Execute(pb.ExecuteRequest(runbook_id=runbook_id), metadata=team.responder.metadata)
    first = await anext(aiter(call))
    assert first.event.sequence == 1
    assert first.event.execution.status == execution_pb2.EXECUTION_STATUS_PENDING
    await runbooks.CancelExecution(
        pb.CancelExecutionRequest(execution_id=first.event.execution.id), metadata=team.responder.metadata
    )
    rest = [answer.event async for answer in call]
    assert [event.execution.status for event in rest] == [execution_pb2.EXECUTION_STATUS_CANCELLED]
