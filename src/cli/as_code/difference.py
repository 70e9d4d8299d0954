"""What would change, as unified text: what a file says about a runbook beside what the server has."""

from __future__ import annotations

import difflib
from typing import Any

from cli.as_code.conversion import settings_of
from cli.as_code.yaml_writing import to_yaml
from cli.output import enum_name
from oncall.v1.runbook_pb2 import RunbookVersion


def difference(
    before: RunbookVersion | None, after: RunbookVersion, *, about: tuple[dict[str, Any], dict[str, Any]], name: str
) -> str:
    """Answers the difference of settings and script; `about` is what stands beside the version, before and after."""
    old = f"{name}, version {before.version} on the server" if before else "/dev/null"
    settings = _unified(_settings(before, about[0]), _settings(after, about[1]), old, f"{name}, settings")
    script = _unified(before.script if before else "", after.script, old, f"{name}, script")
    return settings + script


def _settings(version: RunbookVersion | None, about: dict[str, Any]) -> str:
    if version is None:
        return ""
    return to_yaml({**about, "language": enum_name(version, "language").lower(), **settings_of(version)})


def _unified(old: str, new: str, old_name: str, new_name: str) -> str:
    lines = list(difflib.unified_diff(_lines(old), _lines(new), old_name, new_name))
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    """Answers the lines by line feeds alone: other characters must not hide a change from who reads the difference."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
