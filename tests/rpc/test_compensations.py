"""What undoes a run: offered when it did not end well, begun once somebody approves it, and told of when it fails."""

from __future__ import annotations

from typing import Any

import pytest

from kernel.execution.content import ScriptLanguage, VersionContent
from oncall.v1 import runbook_service_pb2
from oncall.v1 import workflow_pb2 as pb
from server.domain.delivery import NotificationEvent
from server.domain.runbook import Runbook
from server.storage import deliveries
from server.storage.deliveries import DeliveryFilter
from tests.builders import TeamWithPeople, an_approved_runbook
from tests.receivers import a_channel
from tests.rpc.audited import audited
from tests.rpc.conftest import RunningServer
from tests.rpc.scripted_executor import ScriptedExecutor
from tests.workflows import WorkflowDesk, approval, edge, jobs_of, runbook, status


@pytest.fixture
def workflows(running_server: RunningServer, team: TeamWithPeople) -> WorkflowDesk:
    return WorkflowDesk(running_server, team)


async def test_what_a_run_did_is_undone_once_somebody_approves_it(workflows: WorkflowDesk) -> None:
    undo = await an_approved_runbook(workflows.server.sessions, workflows.team)
    workflow = await workflows.creates(
        [runbook("do", undo.id, detached=True), approval("ask")],
        edge("do", "ask"),
        compensation=pb.WorkflowCompensation(runbook=pb.RunbookWork(runbook_id=str(undo.id), detached=True)),
    )
    run_id = (await workflows.runs(workflow)).id
    await workflows.moves(run_id)
    await workflows.decides(run_id, "ask", approve=False)
    await workflows.moves(run_id)
    run = await workflows.run(run_id)
    assert status(run) == "FAILED"
    assert run.compensation.status == pb.WORKFLOW_NODE_STATUS_WAITING
    await workflows.decides(run_id, "")
    await workflows.moves(run_id)
    run = await workflows.run(run_id)
    assert run.compensation.status == pb.WORKFLOW_NODE_STATUS_SUCCEEDED
    assert run.compensation.execution_id


async def test_nothing_is_undone_while_it_is_still_being_done(workflows: WorkflowDesk) -> None:
    undo = await an_approved_runbook(workflows.server.sessions, workflows.team)
    workflow = await workflows.creates(
        [runbook("do", undo.id)],
        compensation=pb.WorkflowCompensation(runbook=pb.RunbookWork(runbook_id=str(undo.id))),
    )
    run_id = (await workflows.runs(workflow)).id
    await workflows.moves(run_id)
    executor = ScriptedExecutor(workflows.server, (await workflows.run(run_id)).nodes[0].execution_id)
    await executor.claim()
    await workflows.cancels(run_id)
    await workflows.moves(run_id)
    await workflows.decides(run_id, "")
    await workflows.moves(run_id)
    run = await workflows.run(run_id)
    assert status(run) == "CANCELLED"
    assert (run.compensation.status, run.compensation.execution_id) == (pb.WORKFLOW_NODE_STATUS_WAITING, "")
    await executor.finish(exit_code=143)
    async with jobs_of(workflows.server, hears=False):
        await workflows.until(run_id, lambda run: run.compensation.execution_id)


async def test_a_run_that_executed_nothing_has_nothing_to_undo(workflows: WorkflowDesk) -> None:
    undo = await an_approved_runbook(workflows.server.sessions, workflows.team)
    compensation = pb.WorkflowCompensation(runbook=pb.RunbookWork(runbook_id=str(undo.id)))
    workflow = await workflows.creates([approval("ask")], compensation=compensation)
    run_id = (await workflows.runs(workflow)).id
    await workflows.moves(run_id)
    await workflows.decides(run_id, "ask", approve=False)
    await workflows.moves(run_id)
    assert not (await workflows.run(run_id)).HasField("compensation")


async def a_failed_run(workflows: WorkflowDesk, undo: Runbook) -> str:
    """A run of a step that is done, and of an approval that was refused."""
    done = await an_approved_runbook(workflows.server.sessions, workflows.team)
    workflow = await workflows.creates(
        [runbook("do", done.id, detached=True), approval("ask")],
        edge("do", "ask"),
        compensation=pb.WorkflowCompensation(runbook=pb.RunbookWork(runbook_id=str(undo.id))),
    )
    run_id = (await workflows.runs(workflow)).id
    await workflows.moves(run_id)
    await workflows.decides(run_id, "ask", approve=False)
    await workflows.moves(run_id)
    return run_id


async def a_listener(workflows: WorkflowDesk) -> DeliveryFilter:
    events = (NotificationEvent.WORKFLOW_FAILED,)
    channel = await a_channel(workflows.server.sessions, workflows.team, "https://example.org/hook", events=events)
    return DeliveryFilter(channel_id=channel.id)


async def heard(workflows: WorkflowDesk, listener: DeliveryFilter) -> list[Any]:
    async with workflows.server.sessions() as session:
        return [one.subject for one in await deliveries.page(session, listener, before=None, limit=9)]


@pytest.mark.parametrize("gone", ["runbook", "secret"])
async def test_an_undoing_that_cannot_begin_is_seen_in_the_run_and_told(workflows: WorkflowDesk, gone: str) -> None:
    sessions, team = workflows.server.sessions, workflows.team
    needs = VersionContent("true", ScriptLanguage.BASH, secret_names=("GONE",) if gone == "secret" else ())
    undo = await an_approved_runbook(sessions, team, needs)
    run_id = await a_failed_run(workflows, undo)
    failure = (await workflows.run(run_id)).problem
    listener = await a_listener(workflows)
    if gone == "runbook":
        archive = runbook_service_pb2.ArchiveRunbookRequest(runbook_id=str(undo.id))
        await workflows.server.runbooks.ArchiveRunbook(archive, metadata=team.author.metadata)
    await workflows.decides(run_id, "")
    await workflows.moves(run_id)
    run = await workflows.run(run_id)
    assert (status(run), run.compensation.status) == ("FAILED", pb.WORKFLOW_NODE_STATUS_FAILED)
    assert run.problem == f"{failure}; what was to undo it could not begin: {run.compensation.problem}"
    assert (await workflows.runs_of())[0].problem == run.problem
    ended = (await audited(sessions, resource_id=run_id, action="workflow_run.step_ended"))[-1]
    assert ended["detail"] == {
        "step": "(compensation)",
        "execution_id": None,
        "status": "FAILED",
        "problem": run.compensation.problem,
    }
    (subject,) = await heard(workflows, listener)
    assert subject.endswith("was not undone")
    await workflows.moves(run_id)  # once more changes nothing
    assert (await workflows.run(run_id)).problem == run.problem
    assert len(await heard(workflows, listener)) == 1


async def test_an_undoing_that_fails_is_seen_in_the_run_and_told(workflows: WorkflowDesk) -> None:
    undo = await an_approved_runbook(workflows.server.sessions, workflows.team)
    run_id = await a_failed_run(workflows, undo)
    listener = await a_listener(workflows)
    await workflows.decides(run_id, "")
    await workflows.moves(run_id)
    executor = ScriptedExecutor(workflows.server, (await workflows.run(run_id)).compensation.execution_id)
    await executor.claim()
    await executor.finish(exit_code=3)
    await workflows.moves(run_id)
    run = await workflows.run(run_id)
    assert run.problem.endswith("what was to undo it failed: its script ended with exit code 3")
    (subject,) = await heard(workflows, listener)
    assert subject.endswith("was not undone")


async def test_a_word_against_undoing_is_no_failure_of_it(workflows: WorkflowDesk) -> None:
    run_id = await a_failed_run(workflows, await an_approved_runbook(workflows.server.sessions, workflows.team))
    before, listener = await workflows.run(run_id), await a_listener(workflows)
    await workflows.decides(run_id, "", approve=False)
    await workflows.moves(run_id)
    assert (await workflows.run(run_id)).problem == before.problem
    assert await heard(workflows, listener) == []
