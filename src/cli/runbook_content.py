"""A runbook version as the options of a command describe it."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.failure import fail
from cli.parameter_specs import parse_spec, read_definitions
from oncall.v1.runbook_pb2 import (
    NETWORK_POLICY_HOST,
    NETWORK_POLICY_NONE,
    ParameterDefinition,
    RunbookVersion,
    ScriptLanguage,
)


class Language(StrEnum):
    BASH = "bash"
    PYTHON = "python"
    JAVASCRIPT = "javascript"


class Network(StrEnum):
    NONE = "none"
    HOST = "host"


ScriptOption = Annotated[str, typer.Option("--script", metavar="FILE", help="The script; - reads standard input.")]
LanguageOption = Annotated[
    Language | None, typer.Option(help="By default guessed from the file's #! line or its extension.")
]
TimeoutOption = Annotated[int, typer.Option(help="Time limit of one attempt in seconds, 1 to 300; 0 means 60.")]
RetriesOption = Annotated[int, typer.Option("--max-retries", help="How often a failed attempt is repeated, 0 to 3.")]
ConfirmOption = Annotated[
    bool, typer.Option("--requires-confirm", "--confirm", help="Whoever runs it must confirm (`oncall run --confirm`).")
]
NetworkOption = Annotated[Network, typer.Option(help="What it may reach: nothing, or all that its machine reaches.")]
SecretOption = Annotated[
    list[str] | None, typer.Option("--secret", metavar="NAME", help="A secret of the team that it is given; repeat it.")
]
TagOption = Annotated[
    list[str] | None,
    typer.Option("--executor-tag", metavar="TAG", help="What an executor must carry to run it; repeat it, up to 4."),
]
SpecOption = Annotated[
    list[str] | None,
    typer.Option("--parameter", "-p", metavar="SPEC", help="A parameter, NAME[:TYPE][:MODIFIER…]; repeat it."),
]
DefinitionsOption = Annotated[
    str, typer.Option("--parameters", metavar="FILE", help="Parameters as a JSON list of ParameterDefinition.")
]
NoteOption = Annotated[str, typer.Option("--note", help="Why this version exists.")]


def read_version(
    script: str,
    language: Language | None,
    *,
    timeout: int,
    max_retries: int,
    requires_confirm: bool,
    network: Network,
    secrets: list[str] | None,
    tags: list[str] | None,
    specs: list[str] | None,
    definitions_file: str,
    note: str,
) -> RunbookVersion:
    """Answers the version that the options describe; what is wrong with them ends the command."""
    text = read_text(script)
    return RunbookVersion(
        script=text,
        language=ScriptLanguage.Value(f"SCRIPT_LANGUAGE_{(language or guess_language(script, text)).name}"),
        parameters=_definitions(specs or [], definitions_file),
        timeout_seconds=timeout,
        max_retries=max_retries,
        requires_confirm=requires_confirm,
        network=NETWORK_POLICY_HOST if network is Network.HOST else NETWORK_POLICY_NONE,
        secret_names=secrets or [],
        executor_tags=tags or [],
        change_note=note,
    )


def guess_language(path: str, script: str) -> Language:
    """Answers the language that the #! line or else the extension names; ends the command where neither does."""
    first = script.partition("\n")[0]
    if first.startswith("#!"):
        interpreter = next((word for word in reversed(first[2:].split()) if not word.startswith("-")), "")
        name = Path(interpreter).name.rstrip("0123456789.")
        if name in _INTERPRETERS:
            return _INTERPRETERS[name]
    if Path(path).suffix not in _EXTENSIONS:
        fail("cannot tell the script's language: say --language bash, python or javascript")
    return _EXTENSIONS[Path(path).suffix]


def read_text(path: str) -> str:
    """Reads a UTF-8 file, or standard input for `-`, without changing a byte."""
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return data.decode("utf-8")
    except OSError as error:
        fail(f"cannot read {path}: {error.strerror}")
    except UnicodeDecodeError:
        fail(f"{path} is not UTF-8 text")


def _definitions(specs: list[str], definitions_file: str) -> list[ParameterDefinition]:
    try:
        from_file = read_definitions(read_text(definitions_file)) if definitions_file else []
    except ValueError as error:
        fail(f"{definitions_file}: {error}")
    try:
        return from_file + [parse_spec(spec) for spec in specs]
    except ValueError as error:
        fail(f"--parameter {error}")


_INTERPRETERS = {
    "sh": Language.BASH,
    "bash": Language.BASH,
    "python": Language.PYTHON,
    "node": Language.JAVASCRIPT,
    "nodejs": Language.JAVASCRIPT,
}
_EXTENSIONS = {
    ".sh": Language.BASH,
    ".bash": Language.BASH,
    ".py": Language.PYTHON,
    ".js": Language.JAVASCRIPT,
    ".mjs": Language.JAVASCRIPT,
    ".cjs": Language.JAVASCRIPT,
}
