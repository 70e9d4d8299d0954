"""How differences look: on a terminal coloured, and nothing in them obeyed or hidden; elsewhere plain text."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cli.visible import visible_block

_STYLES = {"+++": "bold", "---": "bold", "@@": "cyan", "+": "green", "-": "red"}


def print_diff(diff: str) -> None:
    """Prints a difference; control and deceptive characters are shown by name also where it goes to a file."""
    if not diff:
        return
    if not sys.stdout.isatty():
        sys.stdout.write(visible_block(diff))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for line in visible_block(diff).split("\n")[:-1]:
        style = next((style for start, style in _STYLES.items() if line.startswith(start)), "")
        console.print(Text(line, style=style))


def summary(kinds: Sequence[str], noun: str) -> str:
    """Answers one line about all of them; `kinds` says what becomes of each."""
    counted = [f"{kinds.count(kind)} {kind}" for kind in ("to create", "to change", "unchanged") if kind in kinds]
    return f"{len(kinds)} {noun}{'s' if len(kinds) != 1 else ''}: {', '.join(counted)}"
