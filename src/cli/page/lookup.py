"""Finds status pages and components by what people call them: a slug, a name, or an id."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from cli.connection import Server
from cli.failure import REFUSED, fail
from cli.lookup import is_id
from cli.paging import paged
from cli.visible import visible
from oncall.v1.status_page_pb2 import Component, StatusPage
from oncall.v1.status_page_service_pb2 import (
    ListComponentsRequest,
    ListStatusPagesRequest,
    StatusPageServiceGetStatusPageRequest,
)

PageName = Annotated[
    str, typer.Argument(metavar="PAGE", help="Slug or id of a page; not needed where you can see only one.")
]
PageOption = Annotated[
    str, typer.Option("--page", "-p", metavar="PAGE", help="Slug or id of the page, where you can see several.")
]
ComponentName = Annotated[
    str, typer.Argument(metavar="COMPONENT", help="Name or id; GROUP/NAME where a name is not enough.")
]


def one_of(argument: str, option: str) -> str:
    """Answers what was given as an argument or as `--page`, for the verbs that take both."""
    if argument and option and argument != option:
        fail(f"PAGE and --page name two pages, {visible(argument)} and {visible(option)}: give one")
    return argument or option


def find_page(server: Server, name: str) -> StatusPage:
    """Answers the page of that slug or id; without one, the only page that the caller can see."""
    if is_id(name):
        return server.pages.GetStatusPage(StatusPageServiceGetStatusPageRequest(status_page_id=name)).status_page
    pages = visible_pages(server)
    found = [page for page in pages if page.slug == name or not name]
    if name and not found:
        fail(f"you can see no page {visible(name)!r}: see `oncall page list`", REFUSED)
    if not found:
        fail("you can see no page: make one with `oncall page create`", REFUSED)
    if len(found) > 1:
        fail(f"you can see several pages: choose one: {', '.join(sorted(visible(page.slug) for page in found))}")
    return found[0]


def visible_pages(server: Server) -> list[StatusPage]:
    return list(paged(server.pages.ListStatusPages, ListStatusPagesRequest(), "status_pages"))


def components_of(server: Server, page_id: str) -> Components:
    request = ListComponentsRequest(status_page_id=page_id)
    return Components(paged(server.pages.ListComponents, request, "components"))


class Components:
    """The components of one page, each group before its children."""

    def __init__(self, components: Iterable[Component]) -> None:
        self.all = list(components)
        self._by_id = {component.id: component for component in self.all}

    def find(self, name: str) -> Component:
        """Answers the component or group of that id, name or GROUP/NAME."""
        found = [c for c in self.all if name in (c.id, c.name, self.path(c))]
        if not found:
            known = ", ".join(visible(self.path(c)) for c in self.all) or "none"
            fail(f"the page has no component {visible(name)!r}: it has {known}", REFUSED)
        if len(found) > 1:
            # Two of one name in one group can be told apart by their ids alone.
            paths = [self.path(c) for c in found]
            told = paths if len(set(paths)) == len(paths) else [c.id for c in found]
            fail(f"several components are called {visible(name)!r}: choose one: {', '.join(map(visible, told))}")
        return found[0]

    def find_id(self, name: str) -> str:
        return self.find(name).id

    def find_group(self, name: str) -> Component:
        found = self.find(name)
        if not found.group:
            fail(f"{visible(name)!r} is no group", REFUSED)
        return found

    def name(self, component_id: str) -> str:
        """Answers what a component is called; its id where it is not on the page any more."""
        component = self._by_id.get(component_id)
        return self.path(component) if component else component_id

    def path(self, component: Component) -> str:
        group = self._by_id.get(component.group_id)
        return f"{group.name}/{component.name}" if group else component.name
