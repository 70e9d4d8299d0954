"""Differences are whole, readable, and never take long, whatever somebody wrote."""

from __future__ import annotations

import random
import re
import time
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from kernel.execution.content import (
    ParameterDefinition,
    ParameterType,
    ResourceLimits,
    ScriptLanguage,
    VersionContent,
)
from server.domain.difference import difference
from server.domain.version import Version
from tests.unit.server.test_runbook import a_version

P, Q = ParameterDefinition("p", ParameterType.STRING), ParameterDefinition("q", ParameterType.INTEGER, min=1)


def versions(old: VersionContent, new: VersionContent) -> tuple[Version, Version]:
    return (
        replace(a_version(number=1), content=old, digest=old.digest()),
        replace(a_version(number=2), content=new, digest=new.digest()),
    )


def scripts(old: str, new: str) -> tuple[Version, Version]:
    return versions(VersionContent(old, ScriptLanguage.BASH), VersionContent(new, ScriptLanguage.BASH))


def patched(script: str, diff: str) -> str:
    """Answers the script with the difference applied, as `patch` would."""
    old = re.findall(r"[^\n]*\n|[^\n]+$", script)
    new: list[str] = []
    position = 0
    for line in diff.replace("\n\\ No newline at end of file\n", "\0\n").split("\n")[2:-1]:
        text = (line[1:] + "\n").replace("\0\n", "")
        if head := re.fullmatch(r"@@ -(\d+)(,0)?(?:,\d+)? \+.* @@", line):
            start = int(head[1]) - (0 if head[2] else 1)
            new += old[position:start]
            position = start
        elif line.startswith("+"):
            new.append(text)
        else:
            assert old[position] == text
            new += [text] if line.startswith(" ") else []
            position += 1
    return "".join(new + old[position:])


some_lines = st.lists(
    st.sampled_from(["a", "b", "c", "fi", "", "\r", "-", "+x", "@@ -1 +1 @@"]), min_size=1, max_size=30
)
some_script = st.builds(lambda lines, end: "\n".join(lines) + end or "\n", some_lines, st.sampled_from(["", "\n"]))


@given(some_script, some_script)
def test_a_difference_says_all_that_makes_one_script_the_other(old: str, new: str) -> None:
    diff = difference(*scripts(old, new))
    assert (diff == "") is (old == new)
    if diff:
        assert patched(old, diff) == new


def test_a_missing_last_line_feed_is_a_difference() -> None:
    assert difference(*scripts("a\n", "a")) == (
        "--- version 1/script\n+++ version 2/script\n@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n"
    )


def test_every_setting_that_the_digest_sees_is_seen() -> None:
    base = VersionContent("true", ScriptLanguage.BASH, (P, Q))
    for changed in (
        replace(base, language=ScriptLanguage.PYTHON),
        replace(base, parameters=(Q, P)),
        replace(base, parameters=(P, replace(Q, min=2))),
        replace(base, limits=ResourceLimits(cpus=2)),
        replace(base, secret_names=("s",)),
        replace(base, requires_confirm=True),
        replace(base, executor_tags=("eu",)),
    ):
        shown = difference(*versions(base, changed))
        assert shown.startswith("--- version 1/settings\n+++ version 2/settings\n@@")
        assert "/script" not in shown


def test_what_the_digest_does_not_see_is_no_difference() -> None:
    base = VersionContent("true", ScriptLanguage.BASH, (Q,), secret_names=("a", "b"))
    same = replace(base, parameters=(replace(Q, min=1.0),), secret_names=("b", "a"))
    assert difference(*versions(base, same)) == ""


def test_scripts_that_are_long_and_have_nothing_in_common_are_compared_in_no_time() -> None:
    chance = random.Random(3)  # noqa: S311 - repeatable, not secret
    old, new = ("".join(chance.choice("abcdefghijklmnop") + "\n" for _ in range(400_000)) for _ in range(2))
    began = time.thread_time()
    shown = difference(*scripts("first\n" + old + "last\n", "first\n" + new + "last\n"))
    assert time.thread_time() - began < 10
    assert shown.count("\n@@ ") == 1
    assert len(shown) < 4 * len(old)
