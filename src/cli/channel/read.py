"""`oncall channel list` and `show`: where a team hears of what."""

from __future__ import annotations

from cli.channel.options import ChannelName, find_channel
from cli.connection import connected
from cli.lookup import TeamOption, find_team, team_names
from cli.output import Json, enum_name, local_time, print_details, print_json, print_table, to_json
from cli.paging import paged
from oncall.v1 import notification_pb2 as pb
from oncall.v1.notification_service_pb2 import ListNotificationChannelsRequest

_PREFIX = "NOTIFICATION_EVENT_"


def list_(team: TeamOption = "", as_json: Json = False) -> None:
    """List the channels of a team, newest first. Of their targets only enough is shown to recognise them.

    \b
      oncall channel list
      oncall channel list --json | jq -r '.channels[].name'
    """
    with connected() as server:
        request = ListNotificationChannelsRequest(team_id=find_team(server, team))
        found = list(paged(server.notifications.ListNotificationChannels, request, "channels"))
    if as_json:
        print_json({"channels": [to_json(item) for item in found]})
        return
    rows = ((item.name, enum_name(item, "kind"), item.target_hint, _state(item), _events(item)) for item in found)
    print_table(("NAME", "KIND", "TARGET", "STATE", "HEARS OF"), rows, empty="no channels")


def show(name: ChannelName, team: TeamOption = "", as_json: Json = False) -> None:
    """Show a channel: what it hears of, how it is reached, and whether the platform disabled it.

    \b
      oncall channel show pager
    """
    with connected() as server:
        found = find_channel(server, name, team)
        if as_json:
            print_json(found)
            return
        of_team = team_names(server).get(found.team_id, found.team_id)
    print_details(
        [
            ("name", found.name),
            ("id", found.id),
            ("team", of_team),
            ("kind", enum_name(found, "kind")),
            ("target", found.target_hint),
            ("state", _state(found)),
            ("why", found.disabled_reason),
            ("hears of", _events(found)),
            ("from severity", enum_name(found, "min_severity") if found.min_severity else "any"),
            ("created", f"{local_time(found.created_at)} by {found.created_by}"),
            ("changed", local_time(found.updated_at)),
        ]
    )


def _state(channel: pb.NotificationChannel) -> str:
    return "ACTIVE" if channel.enabled else "DISABLED"


def _events(channel: pb.NotificationChannel) -> str:
    """Answers the events as they are typed; one of a newer server by its number."""
    known = {value.number: value.name for value in pb.NotificationEvent.DESCRIPTOR.values}
    names = [known.get(event, str(event)).removeprefix(_PREFIX) for event in channel.events]
    return ", ".join(name.lower().replace("_", "-") for name in names) or "tests alone"
