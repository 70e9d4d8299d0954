"""What the shell in a sandbox is told: first to wait for its job, then what to run, and in which environment.

It is a bash that was started for the script of a bash runbook, before there is one: bash reads the file that BASH_ENV
names before it opens its script, and what stands there keeps it waiting. So a bash script begins without another
program having to come into being; a script in another language takes the shell's place.

The shell must leave nothing of itself: a script cannot tell that somebody waited for it. So it shuts its descriptors,
forgets its variables and begins to count SECONDS anew. For a program in its place SHLVL is the stubborn one, `exec`
makes it anew; as an array it cannot be exported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_AS_IF_NOBODY_HAD_WAITED = """\
unset BASH_ENV REPLY
SECONDS=0
"""


def waiting(channel: int, orders: int) -> bytes:
    """Answers the commands of a shell that says over `channel` that it stands, and hears there that it may begin.

    Then it does what stands in `orders` by that time, the file that these commands stand in now: it has read them as a
    whole. At the channel's end it ends. What it does last leaves `$_` as it is in a shell that begins.
    """
    then = f". /proc/self/fd/{orders}"
    return f'printf . >&{channel}; read -r -u {channel} && {then} || exit 1; : "$BASH"\n'.encode()


def prelude_of(variables: Mapping[str, str], program: Sequence[str] | None, descriptors: Sequence[int]) -> bytes:
    """Answers the commands that shut `descriptors`, set `variables` and become `program`.

    None is the shell's own script. ValueError for what a shell cannot express.
    """
    shut = " ".join(f"{descriptor}>&-" for descriptor in descriptors)
    # While there may be much to read the shell reads bytes, which is faster than characters.
    lines = [f"exec {shut}", "language=$LANG LANG=C"]
    for name, value in variables.items():
        if not _NAME.fullmatch(name):
            raise ValueError("not a variable's name")
        lines.append(f"export {name}={_quoted(value)}")
    lines += ["LANG=$language", "unset language"]
    if program is None:
        lines.append(_AS_IF_NOBODY_HAD_WAITED)
    else:
        lines += ["unset BASH_ENV OLDPWD SHLVL", "declare -a SHLVL"]
        lines.append(f"exec {' '.join(_quoted(word) for word in program)}\n")
    return "\n".join(lines).encode()


def _quoted(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL cannot stand in a variable")
    return "'" + text.replace("'", "'\\''") + "'"
