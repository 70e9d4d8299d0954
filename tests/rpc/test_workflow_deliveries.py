"""What runs say and call really arrives, signed where that is wanted; what does not arrive is a step's failure."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete
from standardwebhooks.webhooks import Webhook

from kernel import notification_tables
from kernel.database import transaction
from oncall.v1 import secret_service_pb2, secret_service_pb2_grpc
from oncall.v1 import workflow_pb2 as pb
from server.domain.delivery import NotificationEvent
from server.storage import deliveries
from tests.builders import TeamWithPeople
from tests.receivers import SIGNING_SECRET, a_channel, a_tls_receiver, a_webhook_receiver, answering
from tests.rpc.conftest import RunningServer, refusal_of
from tests.sending import a_sender
from tests.waiting import eventually
from tests.workflows import (
    CREATED,
    FAILURE,
    SEV1,
    WorkflowDesk,
    approval,
    delay,
    edge,
    jobs_of,
    notify,
    status,
    statuses,
    webhook,
)


@pytest.fixture
def workflows(running_server: RunningServer, team: TeamWithPeople) -> WorkflowDesk:
    return WorkflowDesk(running_server, team)


async def put_secret(workflows: WorkflowDesk, name: str, value: str) -> None:
    stub = secret_service_pb2_grpc.SecretServiceStub(workflows.server.channel)
    request = secret_service_pb2.PutSecretRequest(team_id=str(workflows.team.id), name=name, value=value)
    await stub.PutSecret(request, metadata=workflows.team.author.metadata)


def headers(**named: str) -> list[pb.WebhookHeader]:
    return [pb.WebhookHeader(name=name, secret_name=secret, prefix="Bearer ") for name, secret in named.items()]


async def test_a_webhook_carries_what_is_filled_in_and_is_signed(
    workflows: WorkflowDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put_secret(workflows, "SIGNS", SIGNING_SECRET)
    await put_secret(workflows, "LETS_IN", "very-secret-token")
    async with a_tls_receiver(tmp_path, monkeypatch) as receiver, a_sender(workflows.server.sessions, []):
        await workflows.creates(
            [
                webhook(
                    "call",
                    receiver.url + "/hook",
                    {"title": "{{ incident.title }}", "labels": "{{ incident.labels }}", "n": 1},
                    headers=headers(Authorization="LETS_IN"),
                    signing_secret_name="SIGNS",
                )
            ],
            event=CREATED,
        )
        async with jobs_of(workflows.server):
            incident = await workflows.an_incident(SEV1, title="Down", labels={"env": "prod"})
            (request,) = await receiver.wait_for(1)
            run = await workflows.ended((await workflows.until_runs(incident_id=incident.id))[0].id)
    assert (status(run), run.nodes[0].output["status_code"]) == ("COMPLETED", 204)
    assert json.loads(request.body) == {"title": "Down", "labels": {"env": "prod"}, "n": 1}
    assert request.headers["authorization"] == "Bearer very-secret-token"
    Webhook(SIGNING_SECRET).verify(request.body, request.headers)
    shown = str(run) + str(await workflows.runs_of(incident_id=incident.id))
    assert "very-secret" not in shown
    assert SIGNING_SECRET not in shown


async def test_a_webhook_that_nobody_takes_fails_its_step(workflows: WorkflowDesk) -> None:
    async with a_webhook_receiver() as receiver, a_sender(workflows.server.sessions, []):
        receiver.answers = [answering(410)]
        workflow = await workflows.creates(
            [webhook("call", receiver.url), delay("instead")], edge("call", "instead", FAILURE)
        )
        async with jobs_of(workflows.server):
            run = await workflows.ended((await workflows.runs(workflow)).id)
    assert (status(run), statuses(run)) == ("COMPLETED", {"call": "FAILED", "instead": "SUCCEEDED"})
    assert run.nodes[0].output["status_code"] == 410
    assert "410" in run.nodes[0].problem


async def test_what_a_cancelled_run_sends_is_not_tried_again(workflows: WorkflowDesk) -> None:
    async with a_webhook_receiver() as receiver, a_sender(workflows.server.sessions, []):
        receiver.answers = [answering(503)]
        workflow = await workflows.creates([webhook("call", receiver.url)])
        async with jobs_of(workflows.server):
            started = await workflows.runs(workflow)
            await receiver.wait_for(1)
            await workflows.cancels(started.id)
            await workflows.ended(started.id)
            await eventually(partial(all_have_ended, workflows, UUID(started.id)))
    assert len(receiver.requests) == 1


async def test_what_is_not_kept_was_not_delivered(workflows: WorkflowDesk) -> None:
    workflow = await workflows.creates([webhook("call", "https://example.org/hook")])
    started = await workflows.runs(workflow)
    await workflows.moves(started.id)
    async with transaction(workflows.server.sessions) as tx:  # as retention does, where nobody moved runs for as long
        await tx.session.execute(delete(notification_tables.deliveries))
    async with jobs_of(workflows.server, hears=False):
        run = await workflows.ended(started.id)
    assert (status(run), statuses(run)) == ("FAILED", {"call": "FAILED"})
    assert "not kept" in run.nodes[0].problem


async def all_have_ended(workflows: WorkflowDesk, run_id: UUID) -> bool:
    async with workflows.server.sessions() as session:
        return all(one.ended_at is not None for one in await deliveries.of_run(session, run_id))


async def test_a_message_goes_to_every_channel_that_is_enabled(workflows: WorkflowDesk) -> None:
    sessions, team = workflows.server.sessions, workflows.team
    async with a_webhook_receiver() as receiver, a_sender(sessions, []):
        for name in ("one", "two"):
            await a_channel(sessions, team, f"{receiver.url}/{name}", events=())
        await a_channel(sessions, team, f"{receiver.url}/off", events=(), enabled=False)
        workflow = await workflows.creates([notify("say", "Hello {{ team.name }}", "It is *fine*.")])
        async with jobs_of(workflows.server):
            run = await workflows.ended((await workflows.runs(workflow)).id)
    assert status(run) == "COMPLETED"
    assert sorted(request.path for request in receiver.requests) == ["/one", "/two"]
    said = json.loads(receiver.requests[0].body)["data"]
    assert said["subject"].startswith("Hello team")
    assert (said["body"], said["node"]) == ("It is *fine*.", "say")


async def test_a_message_for_nobody_is_a_failure(workflows: WorkflowDesk) -> None:
    workflow = await workflows.creates([notify("say", "Hello?")])
    run_id = (await workflows.runs(workflow)).id
    await workflows.moves(run_id)
    run = await workflows.run(run_id)
    assert (status(run), statuses(run)) == ("FAILED", {"say": "FAILED"})
    assert "no channel" in run.nodes[0].problem


async def test_a_team_hears_that_a_run_failed_and_that_somebody_is_waited_for(workflows: WorkflowDesk) -> None:
    sessions, team = workflows.server.sessions, workflows.team
    events = (NotificationEvent.WORKFLOW_FAILED, NotificationEvent.APPROVAL_WAITING)
    async with a_webhook_receiver() as receiver, a_sender(sessions, []):
        await a_channel(sessions, team, receiver.url, events=events)
        workflow = await workflows.creates([approval("ask", "Really?")], name="careful")
        async with jobs_of(workflows.server):
            started = await workflows.runs(workflow)
            (waits,) = await receiver.wait_for(1)
            await workflows.decides(started.id, "ask", approve=False)
            _, failed = await receiver.wait_for(2)
    told: list[Any] = [json.loads(request.body) for request in (waits, failed)]
    assert [one["type"] for one in told] == ["approval.waiting", "workflow.failed"]
    assert told[0]["data"]["question"] == "Really?"
    assert (told[1]["data"]["status"], told[1]["data"]["workflow"]) == ("FAILED", "careful")
    assert {one["data"]["workflow_run_id"] for one in told} == {started.id}


async def test_a_workflow_names_only_what_its_team_has(workflows: WorkflowDesk) -> None:
    foreign = await a_channel(workflows.server.sessions, workflows.team, "https://example.org")
    refused = await refusal_of(
        workflows.creates(
            [
                notify("say", "Hello", channels=[str(foreign.id), "01890a5d-ac96-774b-bcce-b302099a8057"]),
                webhook("call", "https://example.org", signing_secret_name="NOT_THERE"),
            ],
            edge("say", "call"),
        )
    )
    assert refused.fields == (
        "workflow.nodes[0].notify.channel_ids[1]",
        "workflow.nodes[1].webhook.signing_secret_name",
    )
