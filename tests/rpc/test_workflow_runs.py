"""Runs of workflows with real executors: what each kind of step does, and how runs end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from kernel.database import transaction
from kernel.execution.content import (
    ParameterDefinition,
    ParameterType,
    ScriptLanguage,
    VersionContent,
)
from oncall.v1 import runbook_service_pb2, team_pb2, workflow_service_pb2
from oncall.v1 import workflow_pb2 as pb
from server.domain.runbook import Runbook
from server.storage import teams
from tests.builders import TeamWithPeople, an_approved_runbook
from tests.executors import an_executor, settings_of
from tests.rpc.audited import audited
from tests.rpc.conftest import Refusal, RunningServer, refusal_of
from tests.waiting import eventually
from tests.workflows import (
    ALWAYS,
    FAILURE,
    FALSE,
    TRUE,
    WorkflowDesk,
    approval,
    condition,
    delay,
    edge,
    jobs_of,
    runbook,
    status,
    statuses,
)


@pytest.fixture
def workflows(running_server: RunningServer, team: TeamWithPeople) -> WorkflowDesk:
    return WorkflowDesk(running_server, team)


async def a_script(workflows: WorkflowDesk, script: str, **content: object) -> Runbook:
    version = VersionContent(script, ScriptLanguage.BASH, **content)  # type: ignore[arg-type]
    return await an_approved_runbook(workflows.server.sessions, workflows.team, version)


def a_name() -> ParameterDefinition:
    return ParameterDefinition("name", ParameterType.STRING, required=True)


async def test_a_run_executes_its_runbook_and_completes(
    workflows: WorkflowDesk, database_url: str, redis_url: str
) -> None:
    greet = await a_script(workflows, 'echo "hello $PARAM_NAME"\n', parameters=(a_name(),))
    workflow = await workflows.creates([runbook("greet", greet.id, {"name": "{{ team.name }}"})])
    async with an_executor(settings_of(database_url, redis_url)), jobs_of(workflows.server):
        started = await workflows.runs(workflow)
        assert status(started) == "RUNNING"
        run = await workflows.ended(started.id)
    assert (status(run), statuses(run)) == ("COMPLETED", {"greet": "SUCCEEDED"})
    step = run.nodes[0]
    assert step.output["exit_code"] == 0
    assert step.output["stdout"].startswith("hello team")
    request = runbook_service_pb2.GetExecutionRequest(execution_id=step.execution_id)
    metadata = workflows.team.observer.metadata
    execution = (await workflows.server.runbooks.GetExecution(request, metadata=metadata)).execution
    assert (execution.workflow_run_id, execution.triggered_by) == (run.id, str(workflows.team.responder.id))
    audit = await audited(workflows.server.sessions, resource_id=run.id)
    assert [row["action"].partition(".")[2] for row in audit] == ["started", "step_began", "step_ended", "ended"]
    assert [row["actor_id"] for row in audit] == [workflows.team.responder.id, None, None, None]


async def test_what_one_step_found_decides_the_way_and_fills_in_the_next(
    workflows: WorkflowDesk, database_url: str, redis_url: str
) -> None:
    look = await a_script(workflows, "echo 7; exit 3\n")
    tell = await a_script(workflows, 'echo "$PARAM_NAME"\n', parameters=(a_name(),))
    workflow = await workflows.creates(
        [
            runbook("look", look.id),
            condition("bad", "nodes.look.exit_code == 3"),
            runbook("tell", tell.id, {"name": "code {{ nodes.look.exit_code }}"}),
            runbook("never", tell.id, {"name": "x"}),
        ],
        edge("look", "bad", ALWAYS),
        edge("bad", "tell", TRUE),
        edge("bad", "never", FALSE),
    )
    async with an_executor(settings_of(database_url, redis_url)), jobs_of(workflows.server):
        run = await workflows.ended((await workflows.runs(workflow)).id)
    assert status(run) == "COMPLETED"
    assert statuses(run) == {"look": "FAILED", "bad": "SUCCEEDED", "tell": "SUCCEEDED", "never": "SKIPPED"}
    assert run.nodes[2].output["stdout"] == "code 3\n"


async def test_the_json_that_a_script_leaves_is_what_later_steps_speak_of(
    workflows: WorkflowDesk, database_url: str, redis_url: str
) -> None:
    find = await a_script(workflows, """echo '{"hosts": ["db1", "db2"], "full": true}' > "$ONCALL_OUTPUT"\n""")
    tell = await a_script(workflows, 'echo "$PARAM_NAME"\n', parameters=(a_name(),))
    workflow = await workflows.creates(
        [
            runbook("find", find.id),
            condition("full", "nodes.find.output.full and nodes.find.output.hosts | length == 2"),
            runbook("tell", tell.id, {"name": "{{ nodes.find.output.hosts[1] }}"}),
        ],
        edge("find", "full"),
        edge("full", "tell", TRUE),
    )
    async with an_executor(settings_of(database_url, redis_url)), jobs_of(workflows.server):
        run = await workflows.ended((await workflows.runs(workflow)).id)
    assert statuses(run) == {"find": "SUCCEEDED", "full": "SUCCEEDED", "tell": "SUCCEEDED"}
    assert run.nodes[0].output["output"]["hosts"] == ["db1", "db2"]
    assert run.nodes[2].output["stdout"] == "db2\n"


async def test_branches_run_at_once_and_join(workflows: WorkflowDesk, database_url: str, redis_url: str) -> None:
    quick = await a_script(workflows, "true\n")
    workflow = await workflows.creates(
        [
            runbook("one", quick.id),
            runbook("two", quick.id),
            pb.WorkflowNode(name="both", delay=pb.DelayWork(seconds=1), join=pb.WORKFLOW_JOIN_ALL),
        ],
        edge("one", "both"),
        edge("two", "both"),
    )
    async with jobs_of(workflows.server):
        started = await workflows.runs(workflow)
        await workflows.until(started.id, lambda run: set(statuses(run).values()) == {"RUNNING", "PENDING"})
        assert len({node.execution_id for node in (await workflows.run(started.id)).nodes[:2]}) == 2
        async with an_executor(settings_of(database_url, redis_url)):
            run = await workflows.ended(started.id)
    assert statuses(run) == {"one": "SUCCEEDED", "two": "SUCCEEDED", "both": "SUCCEEDED"}
    first_end = max(node.completed_at.ToDatetime() for node in run.nodes[:2])
    assert run.nodes[2].started_at.ToDatetime() >= first_end
    assert run.nodes[2].completed_at.ToDatetime() - first_end >= timedelta(seconds=1)


async def test_a_failure_that_nobody_handles_fails_the_run(
    workflows: WorkflowDesk, database_url: str, redis_url: str
) -> None:
    bad = await a_script(workflows, "echo no >&2; exit 1\n")
    workflow = await workflows.creates([runbook("bad", bad.id), delay("after")], edge("bad", "after"))
    async with an_executor(settings_of(database_url, redis_url)), jobs_of(workflows.server):
        run = await workflows.ended((await workflows.runs(workflow)).id)
    assert (status(run), statuses(run)) == ("FAILED", {"bad": "FAILED", "after": "SKIPPED"})
    assert "bad" in run.problem
    assert run.nodes[0].output["stderr"] == "no\n"


async def test_a_runbook_that_cannot_run_any_more_fails_its_step(workflows: WorkflowDesk) -> None:
    made = await a_script(workflows, "true\n")
    workflow = await workflows.creates([runbook("gone", made.id)])
    archive = runbook_service_pb2.ArchiveRunbookRequest(runbook_id=str(made.id))
    await workflows.server.runbooks.ArchiveRunbook(archive, metadata=workflows.team.author.metadata)
    run = await workflows.runs(workflow)
    await workflows.moves(run.id)
    run = await workflows.run(run.id)
    assert (status(run), statuses(run)) == ("FAILED", {"gone": "FAILED"})
    assert run.nodes[0].problem


async def test_a_second_person_approves_and_the_run_goes_on(workflows: WorkflowDesk) -> None:
    workflow = await workflows.creates([approval("ask", "May {{ team.name }} go on?"), delay("go")], edge("ask", "go"))
    team = workflows.team
    async with jobs_of(workflows.server):
        started = await workflows.runs(workflow)
        waiting = await workflows.until(started.id, lambda run: statuses(run)["ask"] == "WAITING")
        assert waiting.nodes[0].question.startswith("May team")
        refused = await refusal_of(workflows.decides(started.id, "ask", by=team.responder))
        assert refused == Refusal(grpc.StatusCode.PERMISSION_DENIED, "SELF_APPROVAL")
        refused = await refusal_of(workflows.decides(started.id, "go"))
        assert refused == Refusal(grpc.StatusCode.FAILED_PRECONDITION, "NOT_WAITING")
        refused = await refusal_of(workflows.decides(started.id, "nothing"))
        assert refused == Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
        await workflows.decides(started.id, "ask", comment="fine")
        again = await workflows.decides(started.id, "ask")
        assert again.id == started.id
        refused = await refusal_of(workflows.decides(started.id, "ask", approve=False))
        assert refused == Refusal(grpc.StatusCode.FAILED_PRECONDITION, "NOT_WAITING")
        refused = await refusal_of(workflows.decides(started.id, "ask", by=team.author))
        assert refused == Refusal(grpc.StatusCode.FAILED_PRECONDITION, "NOT_WAITING")
        run = await workflows.ended(started.id)
    assert statuses(run) == {"ask": "SUCCEEDED", "go": "SUCCEEDED"}
    assert run.nodes[0].output["comment"] == "fine"
    decided = await audited(workflows.server.sessions, action="workflow_run.decided")
    assert [(row["actor_id"], row["detail"]["decision"]) for row in decided] == [(team.reviewer.id, "approved")]


async def test_a_no_is_a_failure_that_an_edge_may_handle(workflows: WorkflowDesk) -> None:
    workflow = await workflows.creates(
        [approval("ask"), delay("yes"), delay("no")], edge("ask", "yes"), edge("ask", "no", FAILURE)
    )
    async with jobs_of(workflows.server):
        started = await workflows.runs(workflow)
        await workflows.until(started.id, lambda run: statuses(run)["ask"] == "WAITING")
        await workflows.decides(started.id, "ask", approve=False)
        run = await workflows.ended(started.id)
    assert (status(run), statuses(run)) == ("COMPLETED", {"ask": "FAILED", "yes": "SKIPPED", "no": "SUCCEEDED"})


async def test_an_approval_wants_the_role_that_it_names(workflows: WorkflowDesk) -> None:
    workflow = await workflows.creates([approval("ask", role=team_pb2.ROLE_TEAM_ADMIN)])
    started = await workflows.runs(workflow, by=workflows.team.author)
    await workflows.moves(started.id)
    refused = await refusal_of(workflows.decides(started.id, "ask", by=workflows.team.responder))
    assert refused == Refusal(grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING")
    await workflows.decides(started.id, "ask", by=workflows.team.reviewer)


async def test_nobodys_word_in_time_counts_as_no(workflows: WorkflowDesk) -> None:
    workflow = await workflows.creates([approval("ask", expires=60)])
    started = await workflows.runs(workflow)
    await workflows.moves(started.id)
    later = datetime.now(UTC) + timedelta(seconds=61)
    await workflows.moves(started.id, now=lambda: later)
    run = await workflows.run(started.id)
    assert status(run) == "FAILED"
    refused = await refusal_of(workflows.decides(started.id, "ask"))
    assert refused == Refusal(grpc.StatusCode.FAILED_PRECONDITION, "NOT_WAITING")


async def test_cancelling_a_run_cancels_what_runs_and_begins_nothing_more(
    workflows: WorkflowDesk, database_url: str, redis_url: str
) -> None:
    slow = await a_script(workflows, "echo up; sleep 60\n")
    workflow = await workflows.creates([runbook("slow", slow.id), delay("after")], edge("slow", "after", ALWAYS))
    async with an_executor(settings_of(database_url, redis_url)), jobs_of(workflows.server):
        started = await workflows.runs(workflow)
        running = await workflows.until(started.id, lambda run: statuses(run)["slow"] == "RUNNING")
        cancelled = await workflows.cancels(started.id)
        assert cancelled.HasField("cancel_requested_at")
        run = await workflows.ended(started.id)
        request = runbook_service_pb2.WatchExecutionRequest(execution_id=running.nodes[0].execution_id)
        stream = workflows.server.runbooks.WatchExecution(request, metadata=workflows.team.observer.metadata)
        async with asyncio.timeout(20):
            states = [answer.event.execution.status async for answer in stream if answer.event.HasField("execution")]
    assert states[-1] == 5  # EXECUTION_STATUS_CANCELLED
    assert (status(run), statuses(run)) == ("CANCELLED", {"slow": "CANCELLED", "after": "CANCELLED"})
    refused = await refusal_of(workflows.cancels(started.id))
    assert refused == Refusal(grpc.StatusCode.FAILED_PRECONDITION, "RUN_ENDED")


async def test_a_run_whose_time_is_over_ends_and_takes_what_runs_along(workflows: WorkflowDesk) -> None:
    slow = await a_script(workflows, "sleep 60\n")
    workflow = await workflows.creates([runbook("slow", slow.id)], timeout_seconds=30)
    started = await workflows.runs(workflow)
    await workflows.moves(started.id)
    later = datetime.now(UTC) + timedelta(seconds=31)
    await workflows.moves(started.id, now=lambda: later)
    run = await workflows.run(started.id)
    assert status(run) == "TIMEOUT"
    request = runbook_service_pb2.GetExecutionRequest(execution_id=run.nodes[0].execution_id)
    execution = await workflows.server.runbooks.GetExecution(request, metadata=workflows.team.observer.metadata)
    assert execution.execution.HasField("cancel_requested_at")


async def test_a_detached_step_succeeds_once_its_execution_is_accepted(workflows: WorkflowDesk) -> None:
    slow = await a_script(workflows, "sleep 60\n")
    workflow = await workflows.creates([runbook("slow", slow.id, detached=True)])
    started = await workflows.runs(workflow)
    await workflows.moves(started.id)
    run = await workflows.run(started.id)
    assert (status(run), statuses(run)) == ("COMPLETED", {"slow": "SUCCEEDED"})
    assert run.nodes[0].execution_id


async def test_a_run_keeps_the_definition_that_it_started_with(workflows: WorkflowDesk) -> None:
    workflow = await workflows.creates([approval("ask"), delay("after")], edge("ask", "after"))
    started = await workflows.runs(workflow)
    await workflows.moves(started.id)
    changed = pb.Workflow(id=workflow.id, nodes=[delay("other")], edges=[])
    request = {"workflow": changed, "update_mask": {"paths": ["nodes", "edges"]}}
    update = workflow_service_pb2.UpdateWorkflowRequest(**request)  # type: ignore[arg-type]
    after = (await workflows.workflows.UpdateWorkflow(update, metadata=workflows.team.author.metadata)).workflow
    assert after.version == 2
    delete = workflow_service_pb2.DeleteWorkflowRequest(workflow_id=workflow.id)
    await workflows.workflows.DeleteWorkflow(delete, metadata=workflows.team.author.metadata)
    await workflows.decides(started.id, "ask")
    async with jobs_of(workflows.server):
        run = await workflows.ended(started.id)
    assert statuses(run) == {"ask": "SUCCEEDED", "after": "SUCCEEDED"}
    assert (run.workflow_version, [node.name for node in run.workflow.nodes]) == (1, ["ask", "after"])


async def test_a_repeat_of_a_run_answers_the_first(workflows: WorkflowDesk) -> None:
    workflow = await workflows.creates([delay("wait", 600)])
    request = workflow_service_pb2.RunWorkflowRequest(workflow_id=workflow.id, request_id="once")
    metadata = workflows.team.responder.metadata
    first = (await workflows.workflows.RunWorkflow(request, metadata=metadata)).workflow_run
    second = (await workflows.workflows.RunWorkflow(request, metadata=metadata)).workflow_run
    assert first.id == second.id
    assert [run.id for run in await workflows.runs_of(workflow_id=workflow.id)] == [first.id]


async def test_whoever_is_taken_out_of_the_team_watches_its_runs_no_more(workflows: WorkflowDesk) -> None:
    team = workflows.team
    started = await workflows.runs(await workflows.creates([approval("ask")]))
    request = workflow_service_pb2.WatchWorkflowRunRequest(workflow_run_id=started.id)
    stream = workflows.workflows.WatchWorkflowRun(request, metadata=team.observer.metadata)
    assert await stream.read()
    async with transaction(workflows.server.sessions) as tx:
        await teams.remove_member(tx.session, team.id, team.observer.id)

    async def goes_on() -> None:
        while await stream.read() is not grpc.aio.EOF:
            pass

    async with asyncio.timeout(20):
        assert await refusal_of(goes_on()) == Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_watching_a_run_shows_every_state_until_it_has_ended(workflows: WorkflowDesk) -> None:
    workflow = await workflows.creates([approval("ask"), delay("go")], edge("ask", "go"))
    started = await workflows.runs(workflow)
    request = workflow_service_pb2.WatchWorkflowRunRequest(workflow_run_id=started.id)
    metadata = workflows.team.observer.metadata
    streams = [workflows.workflows.WatchWorkflowRun(request, metadata=metadata) for _ in range(3)]
    seen: list[list[dict[str, str]]] = [[] for _ in streams]

    async def watch(number: int) -> None:
        async for answer in streams[number]:
            seen[number].append(statuses(answer.workflow_run))

    watching = [asyncio.create_task(watch(number)) for number in range(3)]
    async with jobs_of(workflows.server):
        await workflows.until(started.id, lambda run: statuses(run)["ask"] == "WAITING")
        await workflows.decides(started.id, "ask")
        async with asyncio.timeout(20):
            await asyncio.gather(*watching)
    for states in seen:
        assert states[-1] == {"ask": "SUCCEEDED", "go": "SUCCEEDED"}
        assert {"ask": "SUCCEEDED", "go": "RUNNING"} in states

    async def nobody_is_read() -> bool:
        return workflows.server.platform.run_watches.followed == 0

    await eventually(nobody_is_read)
