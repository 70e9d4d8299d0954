"""`oncall page list` and `settings`: which pages there are, and how each is set."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.connection import connected
from cli.lookup import TeamOption, find_team, team_names
from cli.output import Json, enum_name, local_time, print_details, print_json, print_table, to_json
from cli.page.lookup import PageName, find_page
from cli.paging import paged
from oncall.v1.status_page_service_pb2 import ListStatusPagesRequest

_COLUMNS = ("SLUG", "NAME", "TEAM", "READ BY", "TOKEN", "UPDATED")


def list_(
    team: TeamOption = "",
    limit: Annotated[int, typer.Option(min=0, help="How many at most; 0: all of them.")] = 0,
    as_json: Json = False,
) -> None:
    """List the status pages that you can see, newest first.

    \b
      oncall page list
      oncall page list --json | jq -r '.status_pages[].slug'
    """
    with connected() as server:
        request = ListStatusPagesRequest(team_id=find_team(server, team) if team else "")
        found = list(paged(server.pages.ListStatusPages, request, "status_pages", limit=limit))
        if as_json:
            print_json({"status_pages": [to_json(item) for item in found]})
            return
        teams = team_names(server) if found else {}
    rows = (
        (
            page.slug,
            page.name,
            teams.get(page.team_id, page.team_id),
            enum_name(page, "visibility").lower(),
            "yes" if page.has_page_token else "",
            local_time(page.updated_at),
        )
        for page in found
    )
    print_table(_COLUMNS, rows, empty="no status pages")


def settings(page: PageName = "", as_json: Json = False) -> None:
    """Show a page's settings; `oncall page show` shows what people see on it.

    \b
      oncall page settings shop
    """
    with connected() as server:
        found = find_page(server, page)
        if as_json:
            print_json(found)
            return
        team = team_names(server).get(found.team_id, found.team_id)
    print_details(
        [
            ("name", found.name),
            ("id", found.id),
            ("address", f"/status/{found.slug}"),
            ("team", team),
            ("visibility", enum_name(found, "visibility").lower()),
            ("time zone", found.time_zone),
            ("logo", found.logo_url),
            ("accent", found.accent_color),
            ("support", found.support_url),
            ("page token", "yes" if found.has_page_token else "none"),
            ("created", f"{local_time(found.created_at)} by {found.created_by}"),
            ("updated", local_time(found.updated_at)),
        ]
    )
