"""`oncall page component`: the components and groups of a page, and the status that people set."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer
from google.protobuf.field_mask_pb2 import FieldMask

from cli import confirmation
from cli.component_status import Status
from cli.connection import Server, connected
from cli.failure import fail
from cli.output import Json, enum_words, local_time, print_json, print_table, to_json
from cli.page.lookup import ComponentName, Components, PageOption, components_of, find_page
from cli.visible import visible
from oncall.v1.status_page_pb2 import COMPONENT_STATUS_UNSPECIFIED, Component
from oncall.v1.status_page_service_pb2 import (
    CreateComponentRequest,
    DeleteComponentRequest,
    UpdateComponentRequest,
    UpdateComponentResponse,
)

component = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)

GroupOption = Annotated[str, typer.Option("--in", metavar="GROUP", help="The group it belongs to.")]
PositionOption = Annotated[int | None, typer.Option(min=0, help="Where it stands among its siblings, lowest first.")]
DegradedOption = Annotated[
    bool | None, typer.Option("--only-if-degraded/--always", help="Leave it out while it is operational.")
]
_COLUMNS = ("NAME", "SHOWN AS", "SET TO", "REPORTED", "COUNTS UNTIL", "POSITION", "ID")


@component.callback()
def about() -> None:
    """Keep the components and groups of a page."""


@component.command("list")
def list_(page: PageOption = "", as_json: Json = False) -> None:
    """List the components of a page: what is shown, what people set, and what a check reported.

    \b
      oncall page component list --page shop
    """
    with connected() as server:
        found = components_of(server, find_page(server, page).id)
    if as_json:
        print_json({"components": [to_json(item) for item in found.all]})
        return
    print_table(_COLUMNS, map(_row, found.all), empty="no components")


@component.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people read.")],
    page: PageOption = "",
    group: Annotated[bool, typer.Option("--group", help="It is a group of components.")] = False,
    within: GroupOption = "",
    description: Annotated[str, typer.Option(help="What it is.")] = "",
    status: Annotated[Status | None, typer.Option(help="How it is; by default operational.")] = None,
    position: PositionOption = None,
    only_if_degraded: DegradedOption = None,
    as_json: Json = False,
) -> None:
    """Add a component or a group to a page.

    \b
      oncall page component add Checkout --group --page shop
      oncall page component add 'Card payment' --in Checkout --page shop
    """
    with connected() as server:
        found = find_page(server, page)
        new = Component(
            status_page_id=found.id,
            group_id=components_of(server, found.id).find_group(within).id if within else "",
            group=group,
            name=name,
            description=description,
            status=status.to_pb() if status else COMPONENT_STATUS_UNSPECIFIED,
            position=position or 0,
            only_show_if_degraded=bool(only_if_degraded),
        )
        added = server.pages.CreateComponent(CreateComponentRequest(component=new, request_id=str(uuid.uuid4())))
    if as_json:
        print_json(added)
        return
    print(f"added {'group ' if group else ''}{visible(name)} to {visible(found.slug)}")


@component.command()
def update(
    name: ComponentName,
    page: PageOption = "",
    new_name: Annotated[str | None, typer.Option("--name", help="What people read.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is.")] = None,
    only_if_degraded: DegradedOption = None,
    as_json: Json = False,
) -> None:
    """Change what people read of a component or group.

    \b
      oncall page component update API --name 'Public API' --description 'What your systems call.'
    """
    given = {"name": new_name, "description": description, "only_show_if_degraded": only_if_degraded}
    changed = _change(name, page, lambda _: given)
    _say(changed, as_json, f"updated {visible(changed.component.name)}")


@component.command()
def move(
    name: ComponentName,
    page: PageOption = "",
    within: GroupOption = "",
    out: Annotated[bool, typer.Option("--out", help="Take it out of its group.")] = False,
    position: PositionOption = None,
    as_json: Json = False,
) -> None:
    """Move a component to another place among its siblings, into a group, or out of it.

    \b
      oncall page component move API --position 1
      oncall page component move API --in Platform
    """
    if within and out:
        fail("--in and --out exclude each other")

    def where(components: Components) -> dict[str, Any]:
        group_id = components.find_group(within).id if within else None
        return {"group_id": "" if out else group_id, "position": position}

    changed = _change(name, page, where)
    _say(changed, as_json, f"moved {visible(changed.component.name)}")


@component.command("status")
def set_status(
    name: ComponentName,
    status: Annotated[Status, typer.Argument(help="How it is.")],
    page: PageOption = "",
    as_json: Json = False,
) -> None:
    """Set a component's own status. It is shown as the worst of this, its open incidents and what a check reports.

    \b
      oncall page component status API degraded-performance
    """
    changed = _change(name, page, lambda _: {"status": status.to_pb()})
    shown = enum_words(changed.component, "shown_status").lower()
    _say(changed, as_json, f"{visible(changed.component.name)} is shown as {shown}")


@component.command()
def remove(name: ComponentName, page: PageOption = "", yes: confirmation.Yes = False) -> None:
    """Remove a component or an empty group, with its history, for good. What incidents said of it stays with them.

    \b
      oncall page component remove Reports
    """
    with connected() as server:
        found = components_of(server, find_page(server, page).id).find(name)
        question = f"Remove {visible(found.name)}? Its history goes with it."
        confirmation.require(question, yes=yes, otherwise="not removed")
        server.pages.DeleteComponent(DeleteComponentRequest(component_id=found.id, etag=found.etag))
    print(f"removed {visible(found.name)}")


def _change(name: str, page: str, wanted: Any) -> UpdateComponentResponse:
    """Changes what `wanted` answers of the page's components; None is left as it is."""
    with connected() as server:
        components = components_of(server, find_page(server, page).id)
        found = components.find(name)
        changes = {field: value for field, value in wanted(components).items() if value is not None}
        if not changes:
            fail("say what to change: see --help")
        return _update(server, found, changes)


def _update(server: Server, found: Component, changes: dict[str, Any]) -> UpdateComponentResponse:
    request = UpdateComponentRequest(
        component=Component(id=found.id, etag=found.etag, **changes), update_mask=FieldMask(paths=sorted(changes))
    )
    return server.pages.UpdateComponent(request)


def _say(changed: UpdateComponentResponse, as_json: bool, sentence: str) -> None:
    if as_json:
        print_json(changed)
    else:
        print(sentence)


def _row(item: Component) -> tuple[str, ...]:
    reported = item.HasField("report")
    return (
        f"  {item.name}" if item.group_id else item.name,
        enum_words(item, "shown_status"),
        "group" if item.group else enum_words(item, "status"),
        enum_words(item.report, "status") if reported else "",
        local_time(item.report.expires_at) if reported else "",
        str(item.position),
        item.id,
    )
