"""`oncall partner create` and `update`: what a partner may see, from where, how often and until when."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer
from google.protobuf.field_mask_pb2 import FieldMask

from cli import times
from cli.connection import connected
from cli.failure import fail
from cli.output import Json, note, print_json
from cli.page.lookup import PageOption, components_of, find_page
from cli.partner.lookup import PartnerName, find_partner
from cli.partner.view import now
from cli.visible import visible
from oncall.v1.partner_pb2 import Partner
from oncall.v1.partner_service_pb2 import CreatePartnerRequest, UpdatePartnerRequest

EmailOption = Annotated[str | None, typer.Option(metavar="ADDRESS", help="Whom to tell.")]
AllowOption = Annotated[
    list[str] | None,
    typer.Option("--allow", metavar="NETWORK", help="An address or CIDR they may come from; repeat it for more."),
]
ComponentOption = Annotated[
    list[str] | None,
    typer.Option(
        "--component", "-c", metavar="NAME", help="A component they may see, a group with its own; repeat it for more."
    ),
]
RateOption = Annotated[int | None, typer.Option(min=0, help="Requests a minute; 0: not limited.")]
ExpiresOption = Annotated[
    str, typer.Option("--expires", metavar="TIME", help="When access ends by itself: 2030-01-31T08:00, or in 90d.")
]


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call them; unique on the page.")],
    page: PageOption = "",
    email: EmailOption = None,
    allow: AllowOption = None,
    component: ComponentOption = None,
    rate: RateOption = None,
    expires: ExpiresOption = "",
    as_json: Json = False,
) -> None:
    """Give somebody access to a page. Their token is printed, and shown only this once.

    They see everything, from anywhere and for ever, unless told otherwise. Nothing but the token goes to standard
    output, so that it can go where it is to be kept.

    \b
      oncall partner create Northwind --email ops@northwind.example
      oncall partner create Northwind --allow 192.0.2.0/24 --component API --rate 60 --expires 365d
      oncall partner create Northwind | pass insert --echo partners/northwind
    """
    expires_at = times.coming("--expires", expires, now())
    with connected() as server:
        found = find_page(server, page)
        components = components_of(server, found.id) if component else None
        new = Partner(
            status_page_id=found.id,
            name=name,
            contact_email=email or "",
            ip_allowlist=allow or [],
            component_ids=map(components.find_id, component or []) if components else [],
            requests_per_minute=rate or 0,
            expires_at=expires_at,
        )
        created = server.partners.CreatePartner(CreatePartnerRequest(partner=new, request_id=str(uuid.uuid4())))
    if as_json:
        print_json(created)
        return
    note(f"{visible(name)} may read /status/{visible(found.slug)} with this token, which is shown only this once:")
    print(created.token)


def update(
    name: PartnerName,
    page: PageOption = "",
    new_name: Annotated[str | None, typer.Option("--name", help="A new name, unique on the page.")] = None,
    email: EmailOption = None,
    allow: AllowOption = None,
    allow_any: Annotated[bool, typer.Option("--allow-any", help="Let them come from anywhere.")] = False,
    component: ComponentOption = None,
    all_components: Annotated[bool, typer.Option("--all-components", help="Let them see everything.")] = False,
    rate: RateOption = None,
    expires: ExpiresOption = "",
    never_expires: Annotated[bool, typer.Option("--never-expires", help="Take the end away.")] = False,
    as_json: Json = False,
) -> None:
    """Change what a partner may see, from where, and how often. It holds on every gateway once this has ended.

    What is given replaces what was: with --allow they may come from these networks alone, with --component they see
    these components alone.

    \b
      oncall partner update Northwind --allow 192.0.2.0/24 --allow 2001:db8::/32
      oncall partner update Northwind --component API --component Checkout --rate 60
      oncall partner update Northwind --all-components --never-expires
    """
    for both, names in (
        (allow and allow_any, "--allow and --allow-any"),
        (component and all_components, "--component and --all-components"),
        (expires and never_expires, "--expires and --never-expires"),
    ):
        if both:
            fail(f"{names} exclude each other")
    given: dict[str, Any] = {
        "name": new_name,
        "contact_email": email,
        "ip_allowlist": [] if allow_any else allow,
        "component_ids": [] if all_components else component,
        "requests_per_minute": rate,
        "expires_at": times.coming("--expires", expires, now()),
    }
    changes = {field: value for field, value in given.items() if value is not None}
    mask = sorted({*changes, *(["expires_at"] if never_expires else [])})
    if not mask:
        fail("say what to change: see `oncall partner update --help`")
    with connected() as server:
        found = find_partner(server, name, page)
        if component:
            changes["component_ids"] = [*map(components_of(server, found.status_page_id).find_id, component)]
        wanted = Partner(id=found.id, etag=found.etag, **changes)
        request = UpdatePartnerRequest(partner=wanted, update_mask=FieldMask(paths=mask))
        updated = server.partners.UpdatePartner(request)
    if as_json:
        print_json(updated)
        return
    print(f"updated {visible(updated.partner.name)}; every gateway goes by it")
