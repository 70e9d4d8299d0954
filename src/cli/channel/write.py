"""`oncall channel create` and `update`: where a channel goes and what it hears of."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer
from google.protobuf.field_mask_pb2 import FieldMask

from cli.channel.options import (
    ChannelName,
    EventOption,
    FileOption,
    Kind,
    events_to_pb,
    find_channel,
    kind_to_pb,
    read_target,
)
from cli.connection import connected
from cli.failure import fail
from cli.incident.options import Severity, severity_to_pb
from cli.lookup import TeamOption, find_team
from cli.output import Json, note, print_json
from cli.visible import visible
from oncall.v1.notification_pb2 import NotificationChannel
from oncall.v1.notification_service_pb2 import CreateNotificationChannelRequest, UpdateNotificationChannelRequest


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it; unique within the team.")],
    kind: Annotated[Kind, typer.Option("--kind", "-k", help="How it is reached.")],
    event: EventOption = None,
    min_severity: Annotated[
        Severity | None, typer.Option("--min-severity", "-s", help="Of what has a severity, only from this one on.")
    ] = None,
    target_file: FileOption = "",
    team: TeamOption = "",
    as_json: Json = False,
) -> None:
    """Create a channel. Where it goes is asked for without echo, or read from standard input or a file.

    Never from the command line, where every user of this machine could read it. Of each kind the target is:

    \b
      slack      the address of an incoming webhook
      email      addresses, separated by commas, or a mailto:// URL
      pagerduty  an integration key of the Events API v2
      teams      the address of a workflow's trigger
      webhook    an http(s):// address; its signing secret is printed, and shown only this once
      apprise    a URL of another service that Apprise speaks to

    \b
      oncall channel create chat --kind slack -e incident-created -e incident-resolved
      pass show hooks/deploy | oncall channel create deploy --kind webhook -e execution-failed
      echo ops@example.com | oncall channel create mail --kind email -e workflow-failed
    """
    target = read_target(target_file)
    with connected() as server:
        new = NotificationChannel(
            team_id=find_team(server, team),
            name=name,
            kind=kind_to_pb(kind),
            target=target,
            events=events_to_pb(event or []),
            min_severity=severity_to_pb(min_severity),
        )
        request = CreateNotificationChannelRequest(channel=new, request_id=str(uuid.uuid4()))
        created = server.notifications.CreateNotificationChannel(request)
    if as_json:
        print_json(created)
        return
    note(f"created {visible(name)}; whether it works, `oncall channel test` says")
    if created.signing_secret:
        note("what is sent is signed with this secret, which is shown only this once:")
        print(created.signing_secret)


def update(
    name: ChannelName,
    new_name: Annotated[str | None, typer.Option("--name", help="A new name, unique within the team.")] = None,
    event: EventOption = None,
    no_events: Annotated[bool, typer.Option("--no-events", help="Let it hear of nothing but tests.")] = False,
    min_severity: Annotated[
        Severity | None, typer.Option("--min-severity", "-s", help="Of what has a severity, only from this one on.")
    ] = None,
    any_severity: Annotated[bool, typer.Option("--any-severity", help="Of whatever severity.")] = False,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether anything is sent to it.")] = None,
    target: Annotated[bool, typer.Option("--target", help="Give it another target: asked for, or from input.")] = False,
    target_file: FileOption = "",
    team: TeamOption = "",
    as_json: Json = False,
) -> None:
    """Change what a channel hears of, and where it goes. What is given replaces what was.

    \b
      oncall channel update chat -e incident-created -s sev2
      oncall channel update chat --disable
      pass show hooks/new | oncall channel update deploy --target
    """
    for both, names in (
        (event and no_events, "--event and --no-events"),
        (min_severity and any_severity, "--min-severity and --any-severity"),
    ):
        if both:
            fail(f"{names} exclude each other")
    given: dict[str, Any] = {
        "name": new_name,
        "events": [] if no_events else events_to_pb(event) if event else None,
        "min_severity": severity_to_pb(min_severity) if min_severity or any_severity else None,
        "enabled": enabled,
        "target": read_target(target_file) if target or target_file else None,
    }
    changes = {field: value for field, value in given.items() if value is not None}
    if not changes:
        fail("say what to change: see `oncall channel update --help`")
    with connected() as server:
        found = find_channel(server, name, team)
        wanted = NotificationChannel(id=found.id, etag=found.etag, **changes)
        request = UpdateNotificationChannelRequest(channel=wanted, update_mask=FieldMask(paths=sorted(changes)))
        updated = server.notifications.UpdateNotificationChannel(request)
    if as_json:
        print_json(updated)
        return
    print(f"changed {', '.join(sorted(changes))} of {visible(updated.channel.name)}")
