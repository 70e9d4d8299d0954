"""What an attack is: a script that says `ESCAPED` where it got what it must not have, and `tried` when it has tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import dedent

import pytest

from kernel.execution.content import ResourceLimits, ScriptLanguage
from tests.sandbox.starts import Start

MIB = 1024 * 1024
BASH, PYTHON, JAVASCRIPT = ScriptLanguage.BASH, ScriptLanguage.PYTHON, ScriptLanguage.JAVASCRIPT

SMALL = ResourceLimits(memory_bytes=96 * MIB, cpus=1.0, processes=32, disk_bytes=8 * MIB)
"""What attackers get: small enough to be used up at once, and large enough for Node.js."""

BEFORE = {
    BASH: """
echo begun
escaped() { echo "ESCAPED $*"; }
""",
    PYTHON: """
import ctypes, os, sys
print("begun", flush=True)
HOST = os.environ
def escaped(*what): print("ESCAPED", *what, flush=True)
""",
    JAVASCRIPT: """
console.log('begun');
const fs = require('fs'), HOST = process.env, escaped = (...what) => console.log('ESCAPED', ...what);
""",
}
AFTER = {BASH: "\necho tried\n", PYTHON: "\nprint('tried', flush=True)\n", JAVASCRIPT: "\nconsole.log('tried');\n"}


@dataclass(frozen=True, slots=True)
class Attack:
    """One script against the sandbox. It finds what to aim at in `PARAM_…`: see `Outside.targets`."""

    name: str
    language: ScriptLanguage
    script: str
    to_its_end: bool = True
    """Whether it lives to say that it has tried; False for what is killed on the way or may be."""
    timeout_seconds: int = 20
    limits: ResourceLimits = SMALL
    only_warm: bool = False
    """Whether it is made only in a sandbox that stood ready: it takes seconds, and others like it are made in both."""

    def text(self) -> str:
        after = AFTER[self.language] if self.to_its_end else ""
        return BEFORE[self.language] + dedent(self.script) + after


def each(attacks: Sequence[Attack]) -> pytest.MarkDecorator:
    """Makes two tests of every attack: in a sandbox that stood ready, and in one that is set up for it."""
    cases = [(attack, start) for attack in attacks for start in Start if start is Start.WARM or not attack.only_warm]
    ids = [f"{attack.name.replace(' ', '-')}-{start}" for attack, start in cases]
    return pytest.mark.parametrize(("attack", "start"), cases, ids=ids)
