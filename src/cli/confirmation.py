"""Asks before what cannot be undone: on a terminal a person, elsewhere nobody, so scripts say `--yes` themselves."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.failure import REFUSED, fail

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def require(question: str, *, yes: bool, otherwise: str) -> None:
    """Returns where the answer is yes, given by option or by the person; else ends the command, saying `otherwise`."""
    if yes:
        return
    if not is_terminal():
        fail("repeat it with --yes; without a terminal nobody can be asked")
    if not typer.confirm(question, err=True):
        fail(otherwise, REFUSED)


def is_terminal() -> bool:
    """Whether somebody who can answer types the input."""
    return sys.stdin.isatty()
