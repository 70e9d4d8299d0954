"""`oncall partner list`, `show`, `sessions` and `access`: who has access, and who made use of it."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.connection import connected
from cli.output import Json, local_time, print_json, print_table, to_json
from cli.page.lookup import PageName, PageOption, components_of, find_page, one_of
from cli.paging import paged
from cli.partner.lookup import PartnerName, find_partner, partners_of
from cli.partner.view import COLUMNS, print_partner, row
from oncall.v1.partner_service_pb2 import ListPartnerAccessRequest, ListPartnerSessionsRequest

_SESSION_COLUMNS = ("FROM", "AGENT", "TOKEN", "FIRST", "LAST", "READS")
_ACCESS_COLUMNS = ("DAY (UTC)", "TOKEN", "FROM", "READS", "FIRST", "LAST")
LimitOption = Annotated[int, typer.Option(min=0, help="How many at most; 0: all of them.")]


def list_(page: PageName = "", on: PageOption = "", limit: LimitOption = 0, as_json: Json = False) -> None:
    """List the partners of a page, newest first.

    \b
      oncall partner list
      oncall partner list shop --json | jq -r '.partners[] | select(.is_active) | .contact_email'
    """
    with connected() as server:
        found = partners_of(server, find_page(server, one_of(page, on)).id, limit)
    if as_json:
        print_json({"partners": [to_json(item) for item in found]})
        return
    print_table(COLUMNS, map(row, found), empty="no partners")


def show(name: PartnerName, page: PageOption = "", as_json: Json = False) -> None:
    """Show a partner: scope, addresses, rate and tokens. Of a token only its beginning is known.

    \b
      oncall partner show Northwind
    """
    with connected() as server:
        found = find_partner(server, name, page)
        if as_json:
            print_json(found)
            return
        slug = find_page(server, found.status_page_id).slug
        print_partner(found, slug, components_of(server, found.status_page_id))


def sessions(name: PartnerName, page: PageOption = "", limit: LimitOption = 50, as_json: Json = False) -> None:
    """List who read as a partner, newest first: from which address, with which program and token.

    \b
      oncall partner sessions Northwind --limit 10
    """
    with connected() as server:
        request = ListPartnerSessionsRequest(partner_id=find_partner(server, name, page).id)
        found = list(paged(server.partners.ListPartnerSessions, request, "sessions", limit=limit))
    if as_json:
        print_json({"sessions": [to_json(item) for item in found]})
        return
    rows = (
        (
            s.client_ip,
            s.user_agent,
            s.token_prefix,
            local_time(s.started_at),
            local_time(s.last_active_at),
            str(s.access_count),
        )
        for s in found
    )
    print_table(_SESSION_COLUMNS, rows, empty="nobody has read as this partner")


def access(name: PartnerName, page: PageOption = "", limit: LimitOption = 50, as_json: Json = False) -> None:
    """List how often a partner read, by day, token and address, newest first.

    \b
      oncall partner access Northwind
      oncall partner access Northwind --limit 0 --json | jq '[.accesses[].access_count | tonumber] | add'
    """
    with connected() as server:
        request = ListPartnerAccessRequest(partner_id=find_partner(server, name, page).id)
        found = list(paged(server.partners.ListPartnerAccess, request, "accesses", limit=limit))
    if as_json:
        print_json({"accesses": [to_json(item) for item in found]})
        return
    rows = (
        (a.date, a.token_prefix, a.client_ip, str(a.access_count), local_time(a.first_at), local_time(a.last_at))
        for a in found
    )
    print_table(_ACCESS_COLUMNS, rows, empty="this partner has never read")
