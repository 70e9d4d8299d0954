"""The programs that scripts find: those of this machine, or those below a folder that stands in for its root.

Whoever wants scripts to run on other versions than the executor's machine has, or on fewer programs, gives a folder
that holds `usr/` and what else belongs to a root (`bin`, `lib`, `etc`, …), for example one that debootstrap made.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kernel.execution.content import ScriptLanguage

SHELL = "/usr/bin/bash"
MOST_LINKS = 40


class ToolboxError(Exception):
    """The folder cannot serve as a root; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A language's program, its arguments before the script, and the script's file name."""

    program: str
    arguments: tuple[str, ...]
    script_name: str


INTERPRETERS = {
    ScriptLanguage.BASH: Interpreter(SHELL, (), "script.sh"),
    ScriptLanguage.PYTHON: Interpreter("/usr/bin/python3", ("-u",), "script.py"),
    ScriptLanguage.JAVASCRIPT: Interpreter("/usr/bin/node", (), "script.js"),
}

_TOP_LEVEL = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime", "/etc/ssl/certs", "/etc/ca-certificates")
_ETC_NETWORK = ("/etc/nsswitch.conf", "/etc/services", "/etc/protocols")
_HOST_NETWORK = ("/etc/hosts", "/etc/resolv.conf")  # they say how this machine is connected, whatever the programs are


@dataclass(frozen=True, slots=True)
class Toolbox:
    """One root; `Toolbox()` is the machine's own."""

    root: Path = Path("/")

    @property
    def own(self) -> bool:
        """Whether it is another one than the machine's."""
        return self.root != Path("/")

    def binds(self, *, host_network: bool) -> Iterator[str]:
        """Yields bubblewrap's arguments that show it, all of it read-only."""
        yield from ("--ro-bind", str(self.root / "usr"), "/usr")
        for name in _TOP_LEVEL:
            path = self.root / name[1:]
            if path.is_symlink():
                yield from ("--symlink", str(path.readlink()), name)
            elif path.is_dir():
                yield from ("--ro-bind", str(path), name)
        for name in _ETC + (_ETC_NETWORK if host_network else ()):
            yield from ("--ro-bind-try", str(self.find(name)), name)
        for name in _HOST_NETWORK if host_network else ():
            yield from ("--ro-bind-try", name, name)

    def find(self, name: str) -> Path:
        """Answers where `name` leads as seen from inside, where a link cannot point out of the root."""
        at: list[str] = []
        left = deque(Path(name).parts[1:])
        for _ in range(MOST_LINKS * 10):
            if not left:
                break
            part = left.popleft()
            if part == "..":
                del at[-1:]
                continue
            path = self.root.joinpath(*at, part)
            if not path.is_symlink():
                at.append(part)
                continue
            target = path.readlink()
            if target.is_absolute():
                at.clear()
            left.extendleft(reversed([piece for piece in target.parts if piece != "/"]))
        return self.root.joinpath(*at)

    def missing_interpreter(self, language: ScriptLanguage) -> str | None:
        """Answers the program that it lacks for `language`, if it does."""
        program = INTERPRETERS[language].program
        path = self._reached(program)
        return None if Path(path).is_file() and os.access(path, os.X_OK) else program

    def state(self) -> tuple[object, ...]:
        """Answers what changes when a file is replaced that a standing sandbox would go on seeing in its old form."""
        found: list[object] = []
        for name in _ETC:
            try:
                status = os.stat(self._reached(name))  # noqa: PTH116 - a Path takes twice as long
                found.append((status.st_dev, status.st_ino))
            except OSError:
                found.append(None)
        return tuple(found)

    def _reached(self, name: str) -> str:
        """Answers what to ask the kernel about instead of `name`: in the machine's own root it follows links itself.

        An attempt waits for this some times before its script begins, and a walk takes long.
        """
        return str(self.find(name)) if self.own else name


def open_toolbox(root: Path | None) -> Toolbox:
    """Answers the root that a setting names, None being the machine's own; ToolboxError where it would not do."""
    if root is None:
        return Toolbox()
    toolbox = Toolbox(Path(os.path.normpath(root)))
    if not root.is_absolute():
        raise ToolboxError(f"ONCALL_TOOLBOX_ROOT must be an absolute path, and {root} is none")
    if not (root / "usr").is_dir() or (root / "usr").is_symlink():
        raise ToolboxError(f"ONCALL_TOOLBOX_ROOT names {root}, where there is no folder usr")
    if toolbox.missing_interpreter(ScriptLanguage.BASH) is not None:
        raise ToolboxError(f"ONCALL_TOOLBOX_ROOT names {root}, where {SHELL} is missing or cannot be run")
    return toolbox
