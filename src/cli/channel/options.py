"""What the verbs about channels have in common: how kinds and events are typed, and which channel is meant."""

from __future__ import annotations

import getpass
from enum import StrEnum
from typing import Annotated

import typer

from cli import confirmation
from cli.connection import Server
from cli.failure import REFUSED, fail
from cli.lookup import find_team, is_id
from cli.paging import paged
from cli.runbook_content import read_text
from cli.visible import visible
from oncall.v1 import notification_pb2 as pb
from oncall.v1.notification_service_pb2 import GetNotificationChannelRequest, ListNotificationChannelsRequest


class Kind(StrEnum):
    SLACK = "slack"
    EMAIL = "email"
    PAGERDUTY = "pagerduty"
    TEAMS = "teams"
    WEBHOOK = "webhook"
    APPRISE = "apprise"


class Event(StrEnum):
    EXECUTION_FAILED = "execution-failed"
    WORKFLOW_FAILED = "workflow-failed"
    APPROVAL_WAITING = "approval-waiting"
    INCIDENT_CREATED = "incident-created"
    INCIDENT_UPDATED = "incident-updated"
    INCIDENT_RESOLVED = "incident-resolved"


ChannelName = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of a channel.")]
EventOption = Annotated[list[Event] | None, typer.Option("--event", "-e", help="What it hears of; repeat it for more.")]
FileOption = Annotated[
    str, typer.Option("--target-file", metavar="FILE", help="Take the target from a file; -: from input.")
]


def kind_to_pb(kind: Kind) -> pb.ChannelKind.ValueType:
    return pb.ChannelKind.Value(f"CHANNEL_KIND_{kind.name}")


def events_to_pb(events: list[Event]) -> list[pb.NotificationEvent.ValueType]:
    return [pb.NotificationEvent.Value(f"NOTIFICATION_EVENT_{event.name}") for event in dict.fromkeys(events)]


def read_target(file: str) -> str:
    """Answers a target, of which blanks around it are left out: from a file, a prompt without echo, or a pipe."""
    if not file and confirmation.is_terminal():
        target = getpass.getpass("Target: ").strip()
    else:
        target = read_text(file or "-").strip()
    if not target:
        fail("say where the channel goes: --target-file FILE, or pipe it in; on a terminal you are asked for it")
    return target


def find_channel(server: Server, name: str, team: str = "") -> pb.NotificationChannel:
    """Answers the channel of that id, or the team's of that name."""
    if is_id(name):
        return server.notifications.GetNotificationChannel(GetNotificationChannelRequest(channel_id=name)).channel
    request = ListNotificationChannelsRequest(team_id=find_team(server, team))
    every = paged(server.notifications.ListNotificationChannels, request, "channels")
    found: pb.NotificationChannel | None = next((channel for channel in every if channel.name == name), None)
    if found is None:
        fail(f"the team has no channel {visible(name)!r}: see `oncall channel list`", REFUSED)
    return found
