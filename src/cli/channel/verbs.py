"""The verbs of `oncall channel`, each in a module that is imported when it is called."""

from __future__ import annotations

from typing import ClassVar

import typer

from cli.lazy import LazyGroup, Verb


class _Channel(LazyGroup):
    verbs: ClassVar = {
        "list": Verb("cli.channel.read:list_", "List the channels of a team."),
        "show": Verb("cli.channel.read:show", "Show a channel: what it hears of, and how it is reached."),
        "create": Verb("cli.channel.write:create", "Create a channel; a signing secret is shown only once."),
        "update": Verb("cli.channel.write:update", "Change what a channel hears of, and where it goes."),
        "delete": Verb("cli.channel.change:delete", "Delete a channel."),
        "test": Verb("cli.channel.change:try_out", "Send a test message, and say what came of it."),
        "rotate-secret": Verb("cli.channel.change:rotate_secret", "Give a webhook a new signing secret."),
    }


channel = typer.Typer(cls=_Channel, no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@channel.callback()
def about() -> None:
    """Say where a team hears of what happens: chats, mailboxes, pagers, programs."""
