"""`oncall delivery list` and `retry`: what became of notifications and webhooks."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cli.channel.options import find_channel
from cli.connection import connected
from cli.incident.options import find_incident
from cli.lookup import TeamOption, find_team
from cli.output import Json, enum_name, enum_words, local_time, print_json, print_table, to_json
from cli.paging import paged
from cli.visible import visible
from oncall.v1 import notification_pb2 as pb
from oncall.v1.notification_service_pb2 import ListDeliveriesRequest, RetryDeliveryRequest

_COLUMNS = ("ID", "MADE", "EVENT", "SUBJECT", "STATUS", "ATTEMPTS", "NEXT", "LAST ERROR")


class Status(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


def list_(
    status: Annotated[Status | None, typer.Option(help="Only in this status.")] = None,
    channel: Annotated[str, typer.Option(help="Only to this channel, by name or id.")] = "",
    incident: Annotated[str, typer.Option(help="Only about this incident: its id, or the title of an open one.")] = "",
    run: Annotated[str, typer.Option(metavar="ID", help="Only of this workflow run.")] = "",
    team: TeamOption = "",
    limit: Annotated[int, typer.Option(min=0, help="How many at most; 0: all of them.")] = 20,
    as_json: Json = False,
) -> None:
    """List notifications and webhooks, newest first: what was sent, what waits, and what was given up.

    \b
      oncall delivery list --status dead
      oncall delivery list --channel chat --json | jq -r '.deliveries[].last_error'
    """
    with connected() as server:
        request = ListDeliveriesRequest(
            team_id=find_team(server, team) if team else "",
            channel_id=find_channel(server, channel, team).id if channel else "",
            status=pb.DeliveryStatus.Value(f"DELIVERY_STATUS_{status.name if status else 'UNSPECIFIED'}"),
            workflow_run_id=run,
            incident_id=find_incident(server, incident).id if incident else "",
        )
        found = list(paged(server.notifications.ListDeliveries, request, "deliveries", limit=limit))
    if as_json:
        print_json({"deliveries": [to_json(item) for item in found]})
        return
    print_table(_COLUMNS, map(_row, found), empty="no deliveries")


def retry(delivery: Annotated[str, typer.Argument(metavar="ID", help="The delivery.")], as_json: Json = False) -> None:
    """Have a delivery that was given up tried again, as often as a new one.

    \b
      oncall delivery retry 0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e
    """
    with connected() as server:
        retried = server.notifications.RetryDelivery(RetryDeliveryRequest(delivery_id=delivery)).delivery
    if as_json:
        print_json(retried)
        return
    print(f"{visible(retried.subject)} is tried again")


def _row(item: pb.Delivery) -> tuple[str, ...]:
    return (
        item.id,
        local_time(item.created_at),
        enum_words(item, "event").lower(),
        item.subject,
        enum_name(item, "status"),
        str(item.attempts),
        local_time(item.next_attempt_at) or "-",
        item.last_error or "-",
    )
