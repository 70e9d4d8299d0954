"""An incident starts a workflow that asks, runs a script, goes by what that found, and tells; and the twin that fails.

A whole stack as a person starts it: server, jobs, executor, gateway, PostgreSQL and Redis, a mail server and a receiver
of webhooks.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import grpc
import httpx
from standardwebhooks import Webhook

from kernel.database import Sessions, create_engine, sessions
from kernel.execution.content import ParameterDefinition, ParameterType, ScriptLanguage, VersionContent
from oncall.v1 import (
    notification_pb2,
    notification_service_pb2,
    notification_service_pb2_grpc,
    runbook_service_pb2,
    runbook_service_pb2_grpc,
    status_page_pb2,
)
from tests.builders import a_person, a_team, an_approved_runbook
from tests.e2e.conftest import Launch
from tests.e2e.launched import Launched
from tests.receivers import MailReceiver, WebhookReceiver, a_mail_receiver, a_webhook_receiver
from tests.rpc.audited import audited
from tests.status_pages import PUBLIC, StatusPageDesk
from tests.waiting import eventually
from tests.workflows import (
    CREATED,
    FALSE,
    SEV1,
    TRUE,
    WorkflowDesk,
    approval,
    condition,
    edge,
    notify,
    runbook,
    status,
    statuses,
)

LOOK = """
echo "looking at $PARAM_WHAT"
printf '{"healthy": true, "host": "db1"}' > "$ONCALL_OUTPUT"
"""


class Story:
    """A team at its desks, and what reaches the world outside."""

    def __init__(
        self, stack: Launched, channel: grpc.aio.Channel, known: Sessions, mails: MailReceiver, hooks: WebhookReceiver
    ) -> None:
        self._stack, self._channel, self.sessions = stack, channel, known
        self.mails, self.hooks = mails, hooks

    async def begin(self) -> None:
        self.team = await a_team(self.sessions)
        self.pages = StatusPageDesk(self._channel, self.sessions, self.team, await a_person(self.sessions))
        server: Any = SimpleNamespace(channel=self._channel, sessions=self.sessions)
        self.workflows = WorkflowDesk(server, self.team)

    async def a_channel(self, kind: int, target: str, *events: int) -> str:
        """Makes a channel, and answers what its webhooks are signed with."""
        stub = notification_service_pb2_grpc.NotificationServiceStub(self._channel)
        channel = notification_pb2.NotificationChannel(
            team_id=str(self.team.id),
            name=f"channel {kind}",
            kind=kind,  # type: ignore[arg-type]
            events=events,  # type: ignore[arg-type]
            target=target,
        )
        request = notification_service_pb2.CreateNotificationChannelRequest(channel=channel)
        return str((await stub.CreateNotificationChannel(request, metadata=self.team.author.metadata)).signing_secret)

    async def status_of(self, slug: str, component: str) -> str:
        """Answers how the gateway shows a component to somebody who reads the page."""
        async with httpx.AsyncClient() as http:
            url = f"{self._stack.demo()['gateway']}/status/{slug}/api/v2/components.json"
            answer = await http.get(url, headers={"Accept": "application/json"})
        assert answer.status_code == 200, answer.text
        return str(next(line["status"] for line in answer.json()["components"] if line["name"] == component))

    async def shows(self, slug: str, component: str, wanted: str) -> None:
        async def it_does() -> bool:
            return await self.status_of(slug, component) == wanted

        await eventually(it_does, within=20)

    async def execution(self, execution_id: str) -> Any:
        stub = runbook_service_pb2_grpc.RunbookServiceStub(self._channel)
        request = runbook_service_pb2.GetExecutionRequest(execution_id=execution_id)
        return (await stub.GetExecution(request, metadata=self.team.observer.metadata)).execution


@asynccontextmanager
async def a_story(launch: Launch) -> AsyncIterator[Story]:
    with a_mail_receiver() as mails:
        async with a_webhook_receiver() as hooks:
            stack = launch(
                "--demo",
                env={
                    "ONCALL_OUTBOUND_ALLOW": "127.0.0.1",
                    "ONCALL_SMTP_URL": f"mailto://127.0.0.1:{mails.port}",
                    "ONCALL_SMTP_FROM": "oncall@example.org",
                },
            )
            await asyncio.to_thread(stack.wait_until_it_serves)
            engine = create_engine(stack.program("server").environ()["ONCALL_DATABASE_URL"], pool_size=2)
            async with grpc.aio.insecure_channel(stack.demo()["server"]) as channel:
                story = Story(stack, channel, sessions(engine), mails, hooks)
                await story.begin()
                yield story
            await engine.dispose()


async def test_an_incident_is_looked_at_by_a_script_that_somebody_approved(launch: Launch) -> None:
    async with a_story(launch) as story:
        team, workflows = story.team, story.workflows
        what = ParameterDefinition("what", ParameterType.STRING, required=True)
        look = await an_approved_runbook(
            story.sessions, team, VersionContent(LOOK, ScriptLanguage.BASH, (what,), requires_confirm=True)
        )
        await story.a_channel(notification_pb2.CHANNEL_KIND_WEBHOOK, story.hooks.url)
        workflow = await workflows.creates(
            [
                approval("ask", "May {{ incident.title }} be looked at?"),
                runbook("look", look.id, {"what": "{{ incident.labels.service }}"}),
                condition("healthy", "nodes.look.output.healthy"),
                notify("well", "{{ nodes.look.output.host }} is well"),
                notify("ill", "{{ nodes.look.output.host }} is ill"),
            ],
            edge("ask", "look"),
            edge("look", "healthy"),
            edge("healthy", "well", TRUE),
            edge("healthy", "ill", FALSE),
            event=CREATED,
            condition='incident.severity == "SEV1"',
        )
        page = await story.pages.a_page(PUBLIC)
        api = (await story.pages.a_component(page, "API")).id
        await story.shows(page.slug, "API", "operational")

        outage = status_page_pb2.COMPONENT_STATUS_MAJOR_OUTAGE
        incident = await story.pages.an_incident(
            page, {api: outage}, title="API", severity=SEV1, labels={"service": "checkout"}
        )
        await story.shows(page.slug, "API", "major_outage")
        (run,) = await workflows.until_runs(workflow_id=workflow.id)
        waiting = await workflows.until(run.id, lambda run: statuses(run)["ask"] == "WAITING")
        assert waiting.nodes[0].question == "May API be looked at?"
        await workflows.decides(run.id, "ask", by=team.reviewer, comment="go")
        (told,) = await story.hooks.wait_for(1, within=60)
        run = await workflows.ended(run.id, within=60)
        await story.pages.resolves(incident)
        await story.shows(page.slug, "API", "operational")

        assert status(run) == "COMPLETED"
        assert statuses(run) == {
            "ask": "SUCCEEDED",
            "look": "SUCCEEDED",
            "healthy": "SUCCEEDED",
            "well": "SUCCEEDED",
            "ill": "SKIPPED",
        }
        assert json.loads(told.body)["data"]["subject"] == "db1 is well"
        execution = await story.execution(run.nodes[1].execution_id)
        assert (execution.incident_id, execution.stdout) == (incident.id, "looking at checkout\n")
        assert {layer.name for layer in execution.isolation if layer.held} >= {"process", "filesystem", "network"}
        rows = await audited(story.sessions, resource_id=run.id)
        steps = [(row["action"].partition(".")[2], row["detail"].get("step")) for row in rows]
        assert steps == [
            ("started", None),
            ("step_began", "ask"),
            ("decided", "ask"),
            ("step_ended", "ask"),
            ("step_began", "look"),
            ("step_ended", "look"),
            ("step_began", "healthy"),
            ("step_ended", "healthy"),
            ("step_began", "well"),
            ("step_ended", "ill"),
            ("step_ended", "well"),
            ("ended", None),
        ]
        assert {row["action"] for row in await audited(story.sessions, resource_id=incident.id)} == {
            "incident.created",
            "incident.updated",
        }


async def test_a_failing_twin_is_told_of_by_mail_and_by_a_signed_webhook(launch: Launch) -> None:
    async with a_story(launch) as story:
        failed = notification_pb2.NOTIFICATION_EVENT_WORKFLOW_FAILED
        secret = await story.a_channel(notification_pb2.CHANNEL_KIND_WEBHOOK, story.hooks.url, failed)
        await story.a_channel(notification_pb2.CHANNEL_KIND_EMAIL, "a@example.com", failed)
        bad = VersionContent("echo do not tell anybody; exit 7", ScriptLanguage.BASH, max_retries=1)
        script = await an_approved_runbook(story.sessions, story.team, bad)
        workflow = await story.workflows.creates([runbook("fix", script.id)], event=CREATED, name="fix it")
        incident = await story.workflows.an_incident(SEV1)
        (run,) = await story.workflows.until_runs(workflow_id=workflow.id)
        (request,) = await story.hooks.wait_for(1, within=60)
        run = await story.workflows.ended(run.id)

        async def mail_came() -> bool:
            return bool(story.mails.mails)

        await eventually(mail_came, within=30)
    assert (status(run), statuses(run)) == ("FAILED", {"fix": "FAILED"})
    assert run.nodes[0].output["exit_code"] == 7
    said = Webhook(secret).verify(request.body, request.headers)
    assert (said["type"], said["data"]["workflow_run_id"]) == ("workflow.failed", run.id)
    assert (said["data"]["incident_id"], said["data"]["status"]) == (incident.id, "FAILED")
    (mail,) = story.mails.mails
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert run.id in plain.get_content()
    assert mail["subject"] == "Workflow fix it failed"
    for content in (request.body.decode(), plain.get_content()):
        assert "do not tell anybody" not in content
