"""A typer group that imports a verb only when it is called, so that help and completion answer at once."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


class Verb(NamedTuple):
    """Where a verb lives (`module:attribute`, a function or a typer app) and its line in the list of all verbs."""

    place: str
    help: str


class LazyGroup(TyperGroup):
    """Holds a stand-in for each verb of its table, all that lists and completion ask for.

    A subclass sets `verbs`; commands that are added as usual stand beside them. One whose module is not installed is
    left out.
    """

    verbs: ClassVar[Mapping[str, Verb]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, verb in self.verbs.items():
            if find_spec(verb.place.partition(":")[0]):
                self.commands[name] = TyperCommand(name, help=verb.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Answers the real command: the one about to run, or to complete or explain its own arguments."""
        name, command, rest = super().resolve_command(ctx, args)
        called = (command and command.name) or ""
        return name, _load(called, self.verbs[called].place) if called in self.verbs else command, rest


def _load(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        command = get_command(found)
        command.name = name
        return command
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name)(found)
    return get_command(single)
