"""Finds partners by what people call them: a name, or an id."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.connection import Server
from cli.failure import REFUSED, fail
from cli.lookup import is_id
from cli.page.lookup import find_page, visible_pages
from cli.paging import paged
from cli.visible import visible
from oncall.v1.partner_pb2 import Partner
from oncall.v1.partner_service_pb2 import GetPartnerRequest, ListPartnersRequest

PartnerName = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of a partner.")]


def find_partner(server: Server, name: str, page: str = "") -> Partner:
    """Answers the partner of that name or id; a name that several pages know is refused, naming the pages."""
    if is_id(name):
        return server.partners.GetPartner(GetPartnerRequest(partner_id=name)).partner
    pages = {p.id: p.slug for p in ([find_page(server, page)] if page else visible_pages(server))}
    found = [partner for page_id in pages for partner in partners_of(server, page_id) if partner.name == name]
    if not found:
        of = f"page {page} has" if page else "you can see"
        fail(f"{visible(of)} no partner {visible(name)!r}: see `oncall partner list`", REFUSED)
    if len(found) > 1:
        slugs = ", ".join(sorted(visible(pages[partner.status_page_id]) for partner in found))
        fail(f"several pages have a partner {visible(name)!r}: choose one with --page: {slugs}")
    return found[0]


def partners_of(server: Server, page_id: str, limit: int = 0) -> list[Partner]:
    request = ListPartnersRequest(status_page_id=page_id)
    return list(paged(server.partners.ListPartners, request, "partners", limit=limit))
