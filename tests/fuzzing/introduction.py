"""Real things for requests to be about, in place before the first request: one team's, and some of every kind."""

from __future__ import annotations

from dataclasses import dataclass

import grpc

from kernel.database import Sessions, transaction
from kernel.execution.content import ScriptLanguage, VersionContent
from oncall.v1 import (
    partner_service_pb2,
    runbook_service_pb2,
    runbook_service_pb2_grpc,
    secret_service_pb2,
    secret_service_pb2_grpc,
    status_page_pb2,
    team_pb2,
    team_service_pb2,
    team_service_pb2_grpc,
)
from server.storage import workflow_runs, workflows
from tests.builders import (
    Person,
    TeamWithPeople,
    a_draft_runbook,
    a_runbook_in_review,
    a_waiting_run,
    a_workflow,
    an_approved_runbook,
)
from tests.fuzzing.vocabulary import Vocabulary
from tests.receivers import a_channel, a_dead_delivery
from tests.status_pages import PRIVATE, PUBLIC, StatusPageDesk

SOME = 5
_RUNBOOKS = {
    an_approved_runbook: "approved_runbook_id",
    a_runbook_in_review: "reviewed_runbook_id",
    a_draft_runbook: "draft_runbook_id",
}
INTRODUCED = frozenset({*_RUNBOOKS.values(), "archived_runbook_id"})
"""What words are kept of that no answer calls so."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """Makes things of a team, some by the RPCs and some without, and remembers what they are called."""

    channel: grpc.aio.Channel
    sessions: Sessions
    vocabulary: Vocabulary
    team: TeamWithPeople
    gateway: Person

    async def introduce(self) -> None:
        self.vocabulary.remember("team_id", str(self.team.id))
        for person in (self.team.observer, self.team.responder):
            self.vocabulary.remember("user_id", str(person.id))
        await self._runbooks()
        await self._deliveries()
        await self._workflows()
        await self._secret()
        await self._tokens()
        desk = StatusPageDesk(self.channel, self.sessions, self.team, self.gateway)
        for number in range(SOME):
            await self._page(desk, await desk.a_page(PUBLIC if number % 2 else PRIVATE))

    async def _runbooks(self) -> None:
        content = VersionContent("echo hello\n", ScriptLanguage.BASH)
        for make, kind in _RUNBOOKS.items():
            for _ in range(SOME):
                runbook_id, digest = str((await make(self.sessions, self.team, content)).id), content.digest()
                for name in ("runbook_id", kind):
                    self.vocabulary.remember(name, runbook_id)
                    self.vocabulary.remember_thing(**{name: runbook_id, "version": 1, "digest": digest})
                if make is an_approved_runbook:
                    await self._execution(runbook_id)
        for _ in range(SOME):
            await self._archive(str((await an_approved_runbook(self.sessions, self.team, content)).id))

    async def _archive(self, runbook_id: str) -> None:
        request = runbook_service_pb2.ArchiveRunbookRequest(runbook_id=runbook_id)
        stub = runbook_service_pb2_grpc.RunbookServiceStub(self.channel)
        self.vocabulary.learn(await stub.ArchiveRunbook(request, metadata=self.team.author.metadata))

    async def _execution(self, runbook_id: str) -> None:
        """Executes a runbook, which no executor claims."""
        request = runbook_service_pb2.ExecuteRequest(runbook_id=runbook_id)
        stub = runbook_service_pb2_grpc.RunbookServiceStub(self.channel)
        events = stub.Execute(request, metadata=self.team.responder.metadata)
        self.vocabulary.learn(await anext(aiter(events)))
        events.cancel()

    async def _deliveries(self) -> None:
        for _ in range(SOME):
            channel = await a_channel(self.sessions, self.team, "https://hooks.example.org/in")
            self.vocabulary.remember("channel_id", str(channel.id))
        for _ in range(2 * SOME):
            delivery_id = await a_dead_delivery(self.sessions, self.team, channel)
            self.vocabulary.remember("delivery_id", str(delivery_id))

    async def _workflows(self) -> None:
        """Puts workflows in place, and runs of them that wait for a word on their only step, `a`."""
        for _ in range(SOME):
            workflow = a_workflow(self.team)
            run = a_waiting_run(workflow, self.team.author.id)
            async with transaction(self.sessions) as tx:
                await workflows.add(tx.session, workflow)
                await workflow_runs.add(tx.session, run)
                await workflow_runs.save(tx.session, run, run.nodes.values(), new=run.nodes.keys())
            self.vocabulary.remember("workflow_id", str(workflow.id))
            self.vocabulary.remember("workflow_run_id", str(run.id))
            self.vocabulary.remember_thing(
                workflow_run_id=str(run.id), workflow_id=str(workflow.id), team_id=str(self.team.id), node="a"
            )

    async def _secret(self) -> None:
        request = secret_service_pb2.PutSecretRequest(team_id=str(self.team.id), name="password", value="do not tell")
        stub = secret_service_pb2_grpc.SecretServiceStub(self.channel)
        self.vocabulary.learn(await stub.PutSecret(request, metadata=self.team.author.metadata))

    async def _tokens(self) -> None:
        """Makes tokens to revoke besides those that requests are sent with, of which too many would be missed."""
        stub = team_service_pb2_grpc.TeamServiceStub(self.channel)
        for person in (self.team.author, self.team.reviewer, self.team.responder, self.team.observer):
            request = team_service_pb2.CreateApiTokenRequest(api_token=team_pb2.ApiToken(display_name="spare"))
            self.vocabulary.learn(await stub.CreateApiToken(request, metadata=person.metadata))

    async def _page(self, desk: StatusPageDesk, page: status_page_pb2.StatusPage) -> None:
        """Introduces a page with everything that can be on one, read once by a partner."""
        group = await desk.a_component(page, "Group", group=True)
        component = await desk.a_component(page, "API", group_id=group.id)
        partner = await desk.a_partner(page)
        self.vocabulary.remember("partner_token", partner.token)
        self.vocabulary.remember_thing(
            partner_id=partner.id, status_page_id=page.id, slug=page.slug, partner_token=partner.token
        )
        asked = partner_service_pb2.CreatePageSessionRequest(slug=page.slug, token=partner.token, client_ip="192.0.2.7")
        for made in (
            page,
            component,
            await desk.an_incident(page, {component.id: status_page_pb2.COMPONENT_STATUS_MAJOR_OUTAGE}),
            await desk.a_maintenance(page, component.id),
            await desk.kept(partner),
            await desk.read(page.slug, partner.token),
            await desk.partners.CreatePageSession(asked, metadata=self.gateway.metadata),
        ):
            self.vocabulary.learn(made)
            if isinstance(made, partner_service_pb2.CreatePageSessionResponse):
                self.vocabulary.remember_thing(slug=page.slug, session_token=made.session_token)
