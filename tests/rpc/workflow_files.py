"""A team that keeps a workflow as a file, and gives commands: for tests of the verbs for workflows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from oncall.v1.notification_pb2 import CHANNEL_KIND_WEBHOOK, NotificationChannel
from oncall.v1.notification_service_pb2 import CreateNotificationChannelRequest
from oncall.v1.notification_service_pb2_grpc import NotificationServiceStub
from oncall.v1.team_service_pb2 import ListMembersRequest
from tests.builders import Person, TeamWithPeople, an_approved_runbook
from tests.rpc.commands import Commands, commands
from tests.rpc.conftest import RunningServer
from tests.rpc.shell import Ended
from tests.workflows import WorkflowDesk

YAML = """\
oncall: workflow/v1
name: "{name}"
description: Asks, then does it.
trigger:
  event: incident_created
  condition: incident.severity == "SEV1"
nodes:
  - name: ask
    approval:
      question: Do it for {{{{ incident.title }}}}?
  - name: do
    runbook:
      name: {runbook}
  - name: tell
    notify:
      channels: [night shift]
      subject: Done
edges:
  - from_node: ask
    to_node: do
  - from_node: do
    to_node: tell
    on: failure
"""


class Desk:
    """A team with a runbook and a channel, whose people give commands."""

    def __init__(self, run: Commands, server: RunningServer, team: TeamWithPeople, folder: Path) -> None:
        self._run, self.server, self.team, self.folder = run, server, team, folder
        self.behind = WorkflowDesk(server, team)
        self.runbook = ""

    async def equips(self) -> None:
        """Gives the team what its workflow names."""
        self.runbook = (await an_approved_runbook(self.server.sessions, self.team)).name
        channel = NotificationChannel(
            team_id=str(self.team.id),
            name="night shift",
            kind=CHANNEL_KIND_WEBHOOK,
            target="https://example.org/hook",
            enabled=True,
        )
        request = CreateNotificationChannelRequest(channel=channel)
        stub = NotificationServiceStub(self.server.channel)
        await stub.CreateNotificationChannel(request, metadata=self.team.author.metadata)

    def file(self, name: str = "careful", **replaced: str) -> Path:
        """Writes a workflow's file, with other words for some of it."""
        text = YAML.format(name=name, runbook=self.runbook)
        for before, after in replaced.items():
            assert before in text
            text = text.replace(before, after)
        path = self.folder / f"{name}.yaml"
        path.write_text(text)
        return path

    async def name_of(self, person: Person) -> str:
        """Answers what the person is called, as the team's members are told."""
        request = ListMembersRequest(team_id=str(self.team.id))
        members = (await self.server.teams.ListMembers(request, metadata=self.team.observer.metadata)).members
        (name,) = [member.user_name for member in members if member.user_id == str(person.id)]
        assert name
        return name

    async def gives(self, person: Person, *arguments: str) -> Ended:
        return await self._run(person, *arguments)

    async def says(self, *arguments: str, by: Person | None = None) -> str:
        """Gives a command, as an admin of the team if nobody is named; answers what it prints."""
        ended = await self._run(by or self.team.author, *arguments)
        assert ended.code == 0, (arguments, ended.err)
        return ended.out.decode()

    async def refused(self, *arguments: str, code: int = 1, by: Person | None = None) -> str:
        ended = await self._run(by or self.team.author, *arguments)
        assert (ended.code, ended.out) == (code, b""), (arguments, ended)
        return ended.err

    async def json(self, *arguments: str) -> Any:
        return await self._run.json(self.team.author, *arguments)

    async def applies(self, *arguments: str) -> dict[str, Any]:
        """Answers what an apply did, by workflow."""
        done = await self.json("workflow", "apply", str(self.folder), *arguments)
        return {item["name"]: item for item in done["workflows"]}


@asynccontextmanager
async def a_desk(server: RunningServer, team: TeamWithPeople, home: Path) -> AsyncIterator[Desk]:
    folder = home / "workflows"
    folder.mkdir()
    async with commands(server.address, home) as run:
        made = Desk(run, server, team, folder)
        await made.equips()
        yield made
