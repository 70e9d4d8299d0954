"""The verbs of `oncall page`, each in a module that is imported when it is called."""

from __future__ import annotations

from typing import ClassVar

import typer

from cli.lazy import LazyGroup, Verb


class _Page(LazyGroup):
    verbs: ClassVar = {
        "list": Verb("cli.page.read:list_", "List the status pages that you can see."),
        "show": Verb("cli.page.preview:show", "Show a page as an audience sees it."),
        "settings": Verb("cli.page.read:settings", "Show a page's settings."),
        "create": Verb("cli.page.write:create", "Make a status page, without components."),
        "update": Verb("cli.page.write:update", "Change a page's address, name, visibility or looks."),
        "delete": Verb("cli.page.write:delete", "Delete a page with its components, maintenances and partners."),
        "rotate-token": Verb("cli.page.token:rotate", "Give a page a new token; it is shown only once."),
        "remove-token": Verb("cli.page.token:remove", "Take a page's token away."),
        "component": Verb("cli.page.component:component", "Keep the components and groups of a page."),
        "report": Verb("cli.page.report:report", "Say what a check found of a component, for a while."),
    }


page = typer.Typer(cls=_Page, no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@page.callback()
def about() -> None:
    """Keep status pages and what stands on them."""
