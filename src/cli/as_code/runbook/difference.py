"""What would change: what a file says about a runbook beside what the server has."""

from __future__ import annotations

from typing import Any

from cli.as_code.difference import unified
from cli.as_code.runbook.conversion import settings_of
from cli.as_code.yaml_writing import to_yaml
from cli.output import enum_name
from oncall.v1.runbook_pb2 import RunbookVersion


def difference(
    before: RunbookVersion | None, after: RunbookVersion, *, about: tuple[dict[str, Any], dict[str, Any]], name: str
) -> str:
    """Answers the difference of settings and script; `about` is what stands beside the version, before and after."""
    old = f"{name}, version {before.version} on the server" if before else "/dev/null"
    settings = unified(_settings(before, about[0]), _settings(after, about[1]), old, f"{name}, settings")
    script = unified(before.script if before else "", after.script, old, f"{name}, script")
    return settings + script


def _settings(version: RunbookVersion | None, about: dict[str, Any]) -> str:
    if version is None:
        return ""
    return to_yaml({**about, "language": enum_name(version, "language").lower(), **settings_of(version)})
