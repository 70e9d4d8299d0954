"""Runbooks and versions as people read them, a reviewer above all: nothing hidden, nothing obeyed by the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from google.protobuf import json_format

from cli.output import enum_name, local_time, plain, print_details, print_table
from cli.visible import visible_block
from oncall.v1.runbook_pb2 import ParameterDefinition, Runbook, RunbookVersion


def print_runbooks(runbooks: list[Runbook], teams: dict[str, str]) -> None:
    rows = [
        (
            r.name,
            teams.get(r.team_id, r.team_id),
            enum_name(r, "status"),
            str(r.current_version or "-"),
            str(r.latest_version),
            local_time(r.updated_at),
            r.description.partition("\n")[0],
        )
        for r in runbooks
    ]
    print_table(("NAME", "TEAM", "STATUS", "RUNS", "NEWEST", "UPDATED", "DESCRIPTION"), rows, empty="no runbooks")


def print_runbook(runbook: Runbook, version: RunbookVersion, team: str) -> None:
    runs = str(runbook.current_version) if runbook.current_version else "nothing yet"
    print_details(
        [
            ("name", runbook.name),
            ("id", runbook.id),
            ("team", team),
            ("status", enum_name(runbook, "status")),
            ("description", runbook.description.replace("\n", " ")),
            ("runs", f"version {runs}" if runbook.current_version else runs),
            ("newest", f"version {runbook.latest_version}"),
        ]
    )
    print()
    print_version(version)


def print_version(version: RunbookVersion) -> None:
    """Prints everything of a version that runs, its script last."""
    print_details(_settings(version))
    if version.parameters:
        print()
        rows = [
            (p.name, enum_name(p, "type").lower(), ", ".join(_rules(p)), p.description.replace("\n", " "))
            for p in version.parameters
        ]
        print_table(("PARAMETER", "TYPE", "RULES", "MEANING"), rows, empty="")
    print()
    print_script(version)


def print_script(version: RunbookVersion) -> None:
    """Prints the script: with highlighting, and control characters made visible, on a terminal; as it is elsewhere."""
    if not sys.stdout.isatty():
        sys.stdout.write(version.script if version.script.endswith("\n") else f"{version.script}\n")
        return
    from rich.console import Console
    from rich.syntax import Syntax

    language = enum_name(version, "language").lower()
    # Wrapped, for what stands past the right edge of the screen must be read, too.
    script = Syntax(visible_block(version.script), language, background_color="default", word_wrap=True)
    Console().print(script)


def _settings(version: RunbookVersion) -> Iterator[tuple[str, str]]:
    yield "version", f"{version.version} ({enum_name(version, 'status').replace('_', ' ').lower()})"
    yield "digest", version.digest
    yield "language", enum_name(version, "language").lower()
    yield "time limit", f"{version.timeout_seconds or 60} s"
    yield "retries", str(version.max_retries or "")
    yield "confirmation", "required" if version.requires_confirm else ""
    yield "network", enum_name(version, "network").lower()
    yield "secrets", ", ".join(version.secret_names)
    yield "limits", ", ".join(_limits(version))
    yield "concurrency", enum_name(version, "concurrency").lower()
    yield "executor tags", ", ".join(version.executor_tags)
    yield "note", version.change_note.replace("\n", " ")
    yield "created", f"{local_time(version.created_at)} by {version.created_by}"
    yield "submitted", f"{local_time(version.submitted_at)} by {version.submitted_by}" if version.submitted_by else ""
    yield "reviewed", f"{local_time(version.reviewed_at)} by {version.reviewed_by}" if version.reviewed_by else ""
    yield "review", version.review_comment.replace("\n", " ")


def _limits(version: RunbookVersion) -> Iterator[str]:
    limits = version.limits
    if limits.memory_bytes:
        yield f"{limits.memory_bytes / 2**20:g} MiB memory"
    if limits.cpus:
        yield f"{limits.cpus:g} cores"
    if limits.processes:
        yield f"{limits.processes} processes"
    if limits.disk_bytes:
        yield f"{limits.disk_bytes / 2**20:g} MiB disk"


def _rules(parameter: ParameterDefinition) -> Iterator[str]:
    if parameter.required:
        yield "required"
    if parameter.sensitive:
        yield "sensitive"
    if parameter.HasField("default"):
        default = json_format.MessageToDict(parameter.default)
        yield "default ********" if parameter.sensitive else f"default {plain(default)}"
    if parameter.HasField("min"):
        yield f"at least {plain(parameter.min)}"
    if parameter.HasField("max"):
        yield f"at most {plain(parameter.max)}"
    if parameter.max_length:
        yield f"at most {parameter.max_length} characters"
    if parameter.pattern:
        yield f"like {parameter.pattern}"
    if parameter.options:
        yield "one of " + " | ".join(parameter.options)
