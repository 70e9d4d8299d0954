"""What is wrong with a file, said so that somebody finds the place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cli.visible import visible

Path = tuple[str | int, ...]
"""Where something stands within a document: `("parameters", 2, "name")`."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong; `line` counts from 1 and is 0 where none can be named."""

    file: str
    line: int
    field: str
    sentence: str

    def __str__(self) -> str:
        place = f"{visible(self.file)}:{self.line}" if self.line else visible(self.file)
        return ": ".join(filter(None, (place, visible(self.field), visible(self.sentence))))


class Unusable(Exception):
    """Files that cannot be applied, with everything that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def dotted(path: Path) -> str:
    """Answers a place as the API names fields: `parameters[2].name`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def parsed(field: str) -> Path:
    """Answers the place that the API names so: the other way round than `dotted`."""
    parts = field.replace("[", ".").replace("]", "").split(".")
    return tuple(int(part) if part.isdigit() else part for part in parts)
