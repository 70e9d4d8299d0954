"""The verbs of `oncall partner`, each in a module that is imported when it is called."""

from __future__ import annotations

from typing import ClassVar

import typer

from cli.lazy import LazyGroup, Verb


class _Partner(LazyGroup):
    verbs: ClassVar = {
        "list": Verb("cli.partner.read:list_", "List the partners of a page."),
        "show": Verb("cli.partner.read:show", "Show a partner: scope, addresses, rate and tokens."),
        "create": Verb("cli.partner.write:create", "Give somebody access to a page; the token is shown only once."),
        "update": Verb("cli.partner.write:update", "Change what a partner may see, from where, and how often."),
        "rotate": Verb("cli.partner.tokens:rotate", "Give a partner a new token; it is shown only once."),
        "revoke": Verb("cli.partner.tokens:revoke", "End a partner's access, at once and for good."),
        "sessions": Verb("cli.partner.read:sessions", "List who read as a partner, newest first."),
        "access": Verb("cli.partner.read:access", "List how often a partner read, by day, token and address."),
    }


partner = typer.Typer(cls=_Partner, no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@partner.callback()
def about() -> None:
    """Give partners access to a status page, and take it away."""
