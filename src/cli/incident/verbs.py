"""The verbs of `oncall incident`, each in a module that is imported when it is called."""

from __future__ import annotations

from typing import ClassVar

import typer

from cli.lazy import LazyGroup, Verb


class _Incident(LazyGroup):
    verbs: ClassVar = {
        "list": Verb("cli.incident.read:list_", "List incidents, newest first."),
        "show": Verb("cli.incident.read:show", "Show an incident: what it affects, what was said, what ran."),
        "create": Verb("cli.incident.create:create", "Open an incident, and tell of it on a page."),
        "update": Verb("cli.incident.change:update", "Say something about an incident, and what it affects now."),
        "acknowledge": Verb("cli.incident.change:acknowledge", "Take an incident on."),
        "resolve": Verb("cli.incident.change:resolve", "Say that an incident is over."),
    }


incident = typer.Typer(cls=_Incident, no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@incident.callback()
def about() -> None:
    """Open, tell of, take on and resolve incidents."""
