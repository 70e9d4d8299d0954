"""Each example workflow through the whole platform: applied, started by an incident, run to its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from oncall.v1 import incident_service_pb2
from oncall.v1 import workflow_pb2 as pb
from oncall.v1.incident_pb2 import Incident
from oncall.v1.team_pb2 import Service
from oncall.v1.team_service_pb2 import CreateServiceRequest
from tests.builders import TeamWithPeople
from tests.executors import an_executor, settings_of
from tests.receivers import SIGNING_SECRET, WebhookReceiver, a_channel, a_tls_receiver
from tests.rpc.conftest import RunningServer
from tests.rpc.local_servers import Asked, an_http_server
from tests.rpc.on_call import Team
from tests.rpc.shell import Shell
from tests.sending import a_sender
from tests.workflows import SEV1, SEV2, WorkflowDesk, jobs_of, status, statuses

RUNBOOKS = Path(__file__).parents[2] / "examples/runbooks"
LIBRARY = Path(__file__).parents[2] / "examples/workflows"
TOKEN = "the-hook-believes-in-this"


class Desk:
    """A team that applies examples, with their addresses changed, and whose incidents start them."""

    def __init__(self, server: RunningServer, people: TeamWithPeople, home: Path, told: WebhookReceiver) -> None:
        self.workflows = WorkflowDesk(server, people)
        self.team = Team(server, people, home)
        self.told = told
        self._home = home
        self._author = Shell(home, server.address, people.author)
        self.reviewer = Shell(home, server.address, people.reviewer)

    async def adopts(self, name: str, *runbooks: str, **changes: str) -> None:
        """Applies an example twice: the second time there is nothing to do."""
        for runbook in runbooks:
            await self.team.adopts(RUNBOOKS / f"{runbook}.yaml")
        text = (LIBRARY / f"{name}.yaml").read_text()
        for host, url in changes.items():
            assert f"https://{host}.example.org" in text
            text = text.replace(f"https://{host}.example.org", url)
        file = self._home / f"{name}.yaml"
        file.write_text(text)
        for changed in (["create"], []):
            ran = await self._author("workflow", "apply", str(file), "--yes", "--json")
            assert ran.code == 0, ran
            [applied] = json.loads(ran.out)["workflows"]
            assert (applied["name"], applied["changes"]) == (name, changed)

    async def incident(self, severity: int, **fields: Any) -> Incident:
        return await self.workflows.an_incident(severity, title="Pages are slow", **fields)

    async def service(self, name: str) -> str:
        server, people = self.workflows.server, self.workflows.team
        request = CreateServiceRequest(service=Service(team_id=str(people.id), name=name))
        return (await server.teams.CreateService(request, metadata=people.author.metadata)).service.id

    async def run_of(self, incident: Incident) -> pb.WorkflowRun:
        (run,) = await self.workflows.until_runs(incident_id=incident.id)
        return run


@pytest.fixture
async def desk(
    running_server: RunningServer,
    team: TeamWithPeople,
    tmp_path: Path,
    database_url: str,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Desk]:
    sessions = running_server.sessions
    async with (
        a_tls_receiver(tmp_path, monkeypatch) as told,
        a_sender(sessions, []),
        an_executor(settings_of(database_url, redis_url)),
        jobs_of(running_server),
    ):
        yield Desk(running_server, team, tmp_path, told)


def test_every_example_is_run_here_and_told_of_in_the_readme() -> None:
    names = {path.stem for path in LIBRARY.glob("*.yaml")}
    tested = {name for name in globals() if name.startswith("test_")}
    assert all(any(name.startswith(f"test_{stem.replace('-', '_')}") for name in tested) for stem in names)
    readme = (LIBRARY / "README.md").read_text()
    assert names == {line.split("[")[1].split("]")[0] for line in readme.splitlines() if line.startswith("| [")}


@asynccontextmanager
async def a_web_service(healthy_after_restart: bool) -> AsyncIterator[tuple[str, list[Asked]]]:
    """Yields the address of a service that is unhealthy until its hook restarts it, if that helps, and the restarts."""
    restarts: list[Asked] = []

    def restart(asked: Asked) -> tuple[int, bytes]:
        if asked.headers["authorization"] != f"Bearer {TOKEN}":
            return 403, b""
        restarts.append(asked)
        return 202, b""

    def health(_: Asked) -> tuple[int, bytes]:
        return (200 if restarts and healthy_after_restart else 503), b""

    answers: dict[str, Callable[[Asked], tuple[int, bytes]]] = {"/restart": restart, "/health": health}
    async with an_http_server(answers) as site:
        yield site.url, restarts


async def _unhealthy(desk: Desk, url: str) -> pb.WorkflowRun:
    """Answers the run of an incident of the service, which waits for somebody's word."""
    await a_channel(desk.workflows.server.sessions, desk.workflows.team, desk.told.url, events=())
    await desk.team.keeps_secret("restart_token", TOKEN)
    await desk.adopts("restart-when-unhealthy", "http-health", "restart-service", web=url, deploy=url)
    web, other = await desk.service("web"), await desk.service("other")
    await desk.incident(SEV2, service_id=other)
    run = await desk.run_of(await desk.incident(SEV2, service_id=web))
    waiting = await desk.workflows.until(run.id, lambda run: statuses(run)["ask"] == "WAITING")
    assert waiting.nodes[2].question == "Pages are slow: 0 of 3 calls were good. Restart web?"
    return waiting


async def test_restart_when_unhealthy_restarts_what_somebody_else_agrees_to(desk: Desk) -> None:
    async with a_web_service(healthy_after_restart=True) as (url, restarts):
        run = await _unhealthy(desk, url)
        assert restarts == []
        approved = await desk.reviewer("workflow", "approve", run.id, "ask", "--comment", "Seen.")
        assert approved.code == 0, approved
        ended = await desk.workflows.ended(run.id)
    assert statuses(ended) == {
        "look": "FAILED",
        "unhealthy": "SUCCEEDED",
        "ask": "SUCCEEDED",
        "restart": "SUCCEEDED",
        "look_again": "SUCCEEDED",
        "recovered": "SUCCEEDED",
        "tell_good": "SUCCEEDED",
        "tell_bad": "SKIPPED",
    }
    assert (status(ended), len(restarts)) == ("COMPLETED", 1)
    assert [ended.nodes[index].output["output"]["good"] for index in (0, 4)] == [0, 5]
    said = json.loads(desk.told.requests[0].body)["data"]
    assert said["subject"] == "web is healthy again: Pages are slow"
    assert "let it be restarted. The median is" in said["body"]


async def test_restart_when_unhealthy_tells_where_a_restart_did_not_help(desk: Desk) -> None:
    async with a_web_service(healthy_after_restart=False) as (url, restarts):
        run = await _unhealthy(desk, url)
        assert (await desk.reviewer("workflow", "approve", run.id, "ask")).code == 0
        ended = await desk.workflows.ended(run.id)
    assert (statuses(ended)["tell_bad"], statuses(ended)["tell_good"], len(restarts)) == ("SUCCEEDED", "SKIPPED", 1)
    said = json.loads(desk.told.requests[0].body)["data"]
    assert (said["subject"], "Looked again: FAILED" in said["body"]) == ("web needs somebody: Pages are slow", True)


async def test_restart_when_unhealthy_restarts_nothing_where_somebody_says_no(desk: Desk) -> None:
    async with a_web_service(healthy_after_restart=True) as (url, restarts):
        run = await _unhealthy(desk, url)
        assert (await desk.reviewer("workflow", "reject", run.id, "ask", "-c", "Not now.")).code == 0
        ended = await desk.workflows.ended(run.id)
    assert (status(ended), statuses(ended)["restart"], restarts) == ("COMPLETED", "SKIPPED", [])
    assert "Restarted: SKIPPED" in json.loads(desk.told.requests[0].body)["data"]["body"]


async def test_look_around(desk: Desk) -> None:
    await a_channel(desk.workflows.server.sessions, desk.workflows.team, desk.told.url, events=())
    await desk.adopts("look-around", "host-load", "disk-usage")
    await desk.incident(SEV2)
    run = await desk.workflows.ended((await desk.run_of(await desk.incident(SEV1))).id)
    assert (status(run), statuses(run)["tell"]) == ("COMPLETED", "SUCCEEDED")
    said = json.loads(desk.told.requests[0].body)["data"]
    assert said["subject"] == "First look at: Pages are slow"
    assert "memory:" in said["body"]
    assert "% used" in said["body"]


async def test_close_ticket(desk: Desk) -> None:
    await desk.team.keeps_secret("tracker_token", TOKEN)
    await desk.team.keeps_secret("tracker_signing_key", SIGNING_SECRET)
    await desk.adopts("close-ticket", tracker=desk.told.url)
    for labels in ({}, {"ticket": "OPS 7"}):
        incident = await desk.incident(SEV2, labels=labels)
        resolve = incident_service_pb2.ResolveIncidentRequest(incident_id=incident.id)
        await desk.workflows.incidents.ResolveIncident(resolve, metadata=desk.workflows.team.responder.metadata)
    run = await desk.workflows.ended((await desk.run_of(incident)).id)
    (request,) = await asyncio.wait_for(desk.told.wait_for(1), 20)
    assert (status(run), request.method, request.path) == ("COMPLETED", "PATCH", "/api/tickets/OPS%207")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert json.loads(request.body)["comment"].startswith("Pages are slow was resolved by ")
    Webhook(SIGNING_SECRET).verify(request.body, request.headers)
