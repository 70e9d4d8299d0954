"""`oncall audit`: who did or tried what, and whether anybody changed the record of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from google.protobuf import json_format

from cli.audit_verification import verify
from cli.connection import Server, connected
from cli.lookup import TeamOption, find_team, team_names
from cli.output import Json, enum_name, local_time, plain, print_json, print_table, to_json
from cli.paging import paged
from cli.times import past
from oncall.v1.audit_event_pb2 import AUDIT_OUTCOME_DENIED, AUDIT_OUTCOME_UNSPECIFIED, AuditEvent
from oncall.v1.audit_service_pb2 import ListAuditEventsRequest
from oncall.v1.team_service_pb2 import GetCallerRequest, ListUsersRequest

audit = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
audit.command()(verify)

_COLUMNS = ("TIME", "WHO", "WHAT", "RESOURCE", "OUTCOME", "FROM", "DETAIL")


@audit.callback()
def _group() -> None:
    """Read who did or tried what, and verify that nobody changed it."""


@audit.command("list")
def list_events(
    team: TeamOption = "",
    actor: Annotated[str, typer.Option(metavar="ID", help="Only by this user.")] = "",
    action: Annotated[str, typer.Option(metavar="NAME", help="Only this, such as runbook.approved.")] = "",
    resource_type: Annotated[str, typer.Option("--type", metavar="NAME", help="Only about such: runbook, …")] = "",
    resource: Annotated[str, typer.Option(metavar="ID", help="Only about this.")] = "",
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Only from then on: 2030-01-31T08:00, or 2h, 7d ago.")
    ] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Only before then.")] = "",
    denied: Annotated[bool, typer.Option("--denied", help="Only what was denied.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="How many at most; 0: all of them.")] = 50,
    as_json: Json = False,
) -> None:
    """List who did or tried what, newest first. For team admins, of their team; for platform admins, of all.

    \b
      oncall audit list --since 2h --denied
      oncall audit list --type runbook --resource 0199c3a1-8f0e-7cc2-9d0b-5a3f0c7a1b2e
      oncall audit list --action runbook.approved --limit 0 --json | jq -r '.audit_events[].actor_id'
    """
    now = datetime.now(UTC)
    request = ListAuditEventsRequest(
        actor_id=actor,
        action=action,
        resource_type=resource_type,
        resource_id=resource,
        after=past("--since", since, now),
        before=past("--until", until, now),
        outcome=AUDIT_OUTCOME_DENIED if denied else AUDIT_OUTCOME_UNSPECIFIED,
    )
    with connected() as server:
        reads_all = server.teams.GetCaller(GetCallerRequest()).user.is_platform_admin
        request.team_id = find_team(server, team) if team or not reads_all else ""
        found = list(paged(server.audit.ListAuditEvents, request, "audit_events", limit=limit))
        if as_json:
            print_json({"audit_events": [to_json(event) for event in found]})
            return
        names = _names(server) if reads_all and found else {}
        teams = team_names(server) if found else {}
    print_table(_COLUMNS, [_row(event, {**teams, **names}) for event in found], empty="no events")


def _row(event: AuditEvent, names: dict[str, str]) -> tuple[str, ...]:
    resource = names.get(event.resource_id, event.resource_id)
    return (
        local_time(event.time),
        names.get(event.actor_id, event.actor_id) or "-",
        event.action,
        resource,
        enum_name(event, "outcome").lower(),
        event.peer or "-",
        " ".join(_details(event)),
    )


def _details(event: AuditEvent) -> list[str]:
    detail = json_format.MessageToDict(event.detail)
    shown = [f"{name}={plain(value)}" for name, value in sorted(detail.items()) if value not in (None, "")]
    return [*shown, f"request_id={event.request_id}"] if event.request_id else shown


def _names(server: Server) -> dict[str, str]:
    """Answers the e-mail addresses of all users, by id."""
    return {user.id: user.email for user in paged(server.teams.ListUsers, ListUsersRequest(), "users")}
