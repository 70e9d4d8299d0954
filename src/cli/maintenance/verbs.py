"""The verbs of `oncall maintenance`, each in a module that is imported when it is called."""

from __future__ import annotations

from typing import ClassVar

import typer

from cli.lazy import LazyGroup, Verb


class _Maintenance(LazyGroup):
    verbs: ClassVar = {
        "list": Verb("cli.maintenance.read:list_", "List the maintenances of a page, newest first."),
        "show": Verb("cli.maintenance.read:show", "Show a maintenance, and all that was said of it."),
        "schedule": Verb("cli.maintenance.schedule:schedule", "Announce a maintenance."),
        "update": Verb("cli.maintenance.change:update", "Change a maintenance, or say something about it."),
        "begin": Verb("cli.maintenance.change:begin", "Begin a maintenance before its time."),
        "verify": Verb("cli.maintenance.change:verify", "Say that the work is done, and being looked at."),
        "complete": Verb("cli.maintenance.change:complete", "End a maintenance before its time."),
        "cancel": Verb("cli.maintenance.change:cancel", "Call a maintenance off, or end one that is under way."),
    }


maintenance = typer.Typer(cls=_Maintenance, no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@maintenance.callback()
def about() -> None:
    """Announce maintenance, and begin and end it."""
