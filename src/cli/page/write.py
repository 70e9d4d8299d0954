"""`oncall page create`, `update` and `delete`: the page itself, not what stands on it."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Annotated, Any

import typer
from google.protobuf.field_mask_pb2 import FieldMask

from cli import confirmation
from cli.connection import connected
from cli.failure import fail
from cli.lookup import TeamOption, find_team
from cli.output import Json, note, print_json
from cli.page.lookup import PageName, find_page
from cli.visible import visible
from oncall.v1.status_page_pb2 import STATUS_PAGE_VISIBILITY_PRIVATE, STATUS_PAGE_VISIBILITY_PUBLIC, StatusPage
from oncall.v1.status_page_service_pb2 import CreateStatusPageRequest, DeleteStatusPageRequest, UpdateStatusPageRequest


class Visibility(StrEnum):
    PUBLIC = "public"
    PRIVATE = "private"


_VISIBILITIES = {
    Visibility.PUBLIC: STATUS_PAGE_VISIBILITY_PUBLIC,
    Visibility.PRIVATE: STATUS_PAGE_VISIBILITY_PRIVATE,
}


def create(
    slug: Annotated[str, typer.Argument(metavar="SLUG", help="Its place in the address: a-z, 0-9 and '-'.")],
    name: Annotated[str, typer.Option(help="What people read at its top; by default the slug.")] = "",
    visibility: Annotated[
        Visibility, typer.Option(help="Public: for everybody who knows the address. Private: for partners.")
    ] = Visibility.PRIVATE,
    time_zone: Annotated[str, typer.Option(help="Whose days it counts in, such as Europe/Berlin; else UTC.")] = "",
    team: TeamOption = "",
    as_json: Json = False,
) -> None:
    """Make a status page, without components.

    \b
      oncall page create shop --name 'Our shop' --time-zone Europe/Berlin
      oncall page component add Checkout --page shop
      oncall partner create Northwind --page shop
    """
    with connected() as server:
        new = StatusPage(
            team_id=find_team(server, team),
            slug=slug,
            name=name or slug,
            visibility=_VISIBILITIES[visibility],
            time_zone=time_zone,
        )
        created = server.pages.CreateStatusPage(CreateStatusPageRequest(status_page=new, request_id=str(uuid.uuid4())))
    if as_json:
        print_json(created)
        return
    print(f"created {visible(slug)}, at /status/{visible(slug)} of the gateway")
    note(f"next: oncall page component add NAME --page {visible(slug)}")


def update(
    page: PageName = "",
    slug: Annotated[str | None, typer.Option(help="A new place in the address; the old one ends.")] = None,
    name: Annotated[str | None, typer.Option(help="What people read at its top.")] = None,
    visibility: Annotated[Visibility | None, typer.Option(help="Who may read it.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="Whose days it counts in, such as Europe/Berlin.")] = None,
    logo: Annotated[str | None, typer.Option(metavar="URL", help="An image at the top; empty: none.")] = None,
    accent: Annotated[str | None, typer.Option(metavar="#RRGGBB", help="Colour of links; empty: its own.")] = None,
    support: Annotated[str | None, typer.Option(metavar="URL", help="Where readers find help; empty: none.")] = None,
    yes: confirmation.Yes = False,
    as_json: Json = False,
) -> None:
    """Change a page's address, name, visibility or looks. It holds on every gateway once this has ended.

    Before a private page becomes public you are asked: what somebody has read, nobody takes back.

    \b
      oncall page update shop --logo https://shop.example/logo.svg --accent '#005f87'
      oncall page update shop --visibility public --yes
    """
    given: dict[str, Any] = {
        "slug": slug,
        "name": name,
        "visibility": _VISIBILITIES[visibility] if visibility else None,
        "time_zone": time_zone,
        "logo_url": logo,
        "accent_color": accent,
        "support_url": support,
    }
    changes = {field: value for field, value in given.items() if value is not None}
    if not changes:
        fail("say what to change: see `oncall page update --help`")
    with connected() as server:
        found = find_page(server, page)
        if visibility is Visibility.PUBLIC and found.visibility != STATUS_PAGE_VISIBILITY_PUBLIC:
            question = f"Show everything on {visible(found.slug)} to everybody who knows its address?"
            confirmation.require(question, yes=yes, otherwise="not changed")
        wanted = StatusPage(id=found.id, etag=found.etag, **changes)
        request = UpdateStatusPageRequest(status_page=wanted, update_mask=FieldMask(paths=sorted(changes)))
        updated = server.pages.UpdateStatusPage(request)
    if as_json:
        print_json(updated)
        return
    print(f"updated {visible(updated.status_page.slug)}; every gateway goes by it")


def delete(
    page: Annotated[str, typer.Argument(metavar="PAGE", help="Slug or id of a page.")],
    yes: confirmation.Yes = False,
) -> None:
    """Delete a page with its components, maintenances and partners, for good. Incidents stay with the team.

    \b
      oncall page delete shop
    """
    with connected() as server:
        found = find_page(server, page)
        question = (
            f"Delete {visible(found.slug)} ({visible(found.name)}) with its components, maintenances and partners?"
        )
        confirmation.require(question, yes=yes, otherwise="not deleted")
        server.pages.DeleteStatusPage(DeleteStatusPageRequest(status_page_id=found.id, etag=found.etag))
    print(f"deleted {visible(found.slug)}")
