"""Approvals of runs: who may give their word, when it counts, and what may run only after it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import grpc
import pytest

from kernel.execution.content import (
    ScriptLanguage,
    VersionContent,
)
from oncall.v1 import team_pb2
from server.domain.runbook import Runbook
from tests.builders import TeamWithPeople, an_approved_runbook
from tests.rpc.audited import audited
from tests.rpc.conftest import Refusal, RunningServer, refusal_of
from tests.workflows import (
    FAILURE,
    WorkflowDesk,
    approval,
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


async def test_what_must_be_confirmed_runs_only_after_somebodys_word(workflows: WorkflowDesk) -> None:
    careful = await a_script(workflows, "true\n", requires_confirm=True)
    bare = await workflows.runs(await workflows.creates([runbook("do", careful.id)]))
    await workflows.moves(bare.id)
    run = await workflows.run(bare.id)
    assert (status(run), statuses(run)) == ("FAILED", {"do": "FAILED"})
    assert "confirm" in run.nodes[0].problem
    asked = await workflows.creates([approval("ask"), runbook("do", careful.id)], edge("ask", "do"))
    run = await workflows.runs(asked)
    await workflows.moves(run.id)
    await workflows.decides(run.id, "ask")
    await workflows.moves(run.id)
    assert statuses(await workflows.run(run.id)) == {"ask": "SUCCEEDED", "do": "RUNNING"}


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
