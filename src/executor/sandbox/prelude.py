"""What a standing sandbox's shell is told when its job is known: the environment, and what to become.

The shell came into being with nothing in its environment, and must leave nothing of itself: a script cannot tell
whether its sandbox stood before. So it shuts its two descriptors, and keeps its own variables from being handed down.
SHLVL is the stubborn one, `exec` makes it anew; as an array it cannot be exported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

WAIT = 'printf . >&"$1"; read -r -u "$1" && . "/proc/self/fd/$2"'
"""What a shell says and hears before it is told what to become."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def waiting_shell(shell: str, channel: int, prelude: int) -> list[str]:
    """Answers a shell that says over `channel` that it stands, hears there that it may begin, and reads `prelude`.

    At the channel's end it ends. It reads the file as a whole: from a pipe it would read byte by byte.
    """
    return [shell, "-c", WAIT, "bash", str(channel), str(prelude)]


def prelude_of(variables: Mapping[str, str], words: Sequence[str], descriptors: Sequence[int]) -> bytes:
    """Answers the commands that shut `descriptors` and become `words`; ValueError for what a shell cannot express."""
    shut = " ".join(f"{descriptor}>&-" for descriptor in descriptors)
    lines = [f"exec {shut}", "unset OLDPWD SHLVL", "declare -a SHLVL"]
    # The language comes last, for from then on the shell reads characters and no longer bytes.
    for name in sorted(variables, key=lambda name: name == "LANG"):
        if not _NAME.fullmatch(name):
            raise ValueError("not a variable's name")
        lines.append(f"export {name}={_quoted(variables[name])}")
    lines.append(f"exec {' '.join(_quoted(word) for word in words)}")
    return "\n".join([*lines, ""]).encode()


def _quoted(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL cannot stand in a variable")
    return "'" + text.replace("'", "'\\''") + "'"
