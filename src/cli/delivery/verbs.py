"""The verbs of `oncall delivery`, each in a module that is imported when it is called."""

from __future__ import annotations

from typing import ClassVar

import typer

from cli.lazy import LazyGroup, Verb


class _Delivery(LazyGroup):
    verbs: ClassVar = {
        "list": Verb("cli.delivery.deliveries:list_", "List notifications and webhooks, and what became of them."),
        "retry": Verb("cli.delivery.deliveries:retry", "Have one that was given up tried again."),
    }


delivery = typer.Typer(cls=_Delivery, no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@delivery.callback()
def about() -> None:
    """See what became of notifications and webhooks, and have them tried again."""
