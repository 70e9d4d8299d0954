"""How this command is called from where its caller stands, for texts that tell people what to type."""

from __future__ import annotations

import sys
from pathlib import Path


def own_command(name: str = "oncall") -> str:
    """Answers the path of a command beside this one's interpreter, as short as it can be from the current folder."""
    path = Path(sys.executable).parent / name
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
