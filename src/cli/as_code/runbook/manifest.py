"""Runbooks as a folder of files holds them, each with its script."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cli.as_code.checking import check
from cli.as_code.files import read_all
from cli.as_code.problem import Problem
from cli.as_code.runbook.checking import RUNBOOKS
from cli.as_code.runbook.conversion import to_version
from cli.as_code.runbook.form import RunbookForm
from cli.as_code.runbook.script_file import GREATEST_SCRIPT_BYTES, read_script
from cli.as_code.yaml_reading import Document
from oncall.digest import digest_of
from oncall.v1.runbook_pb2 import RunbookVersion


@dataclass(frozen=True, slots=True)
class Manifest:
    """One runbook of a file, and the version that it describes."""

    document: Document
    form: RunbookForm
    version: RunbookVersion = field(repr=False)
    digest: str

    @property
    def name(self) -> str:
        return self.form.name

    @property
    def team(self) -> str:
        return self.form.team

    @property
    def file(self) -> str:
        return self.document.file


def read_manifests(places: Iterable[Path]) -> list[Manifest]:
    """Answers the runbooks of all files and folders; raises Unusable with everything wrong in any of them."""
    return read_all(places, RUNBOOKS.noun, _manifest)


def _manifest(document: Document, folder: Path) -> tuple[Manifest | None, list[Problem]]:
    form, problems = check(document, RUNBOOKS)
    if form is None:
        return None, problems
    field_name = "script" if form.script_file is None else "script_file"
    try:
        script = form.script if form.script_file is None else read_script(folder, form.script_file)
        version = to_version(form, _checked(script or ""))
    except ValueError as error:
        return None, [document.problem((field_name,), str(error))]
    return Manifest(document, form, version, digest_of(version)), []


def _checked(script: str) -> str:
    if not script:
        raise ValueError("must not be empty")
    if "\0" in script:
        raise ValueError("must not contain the NUL character")
    if len(script.encode()) > GREATEST_SCRIPT_BYTES:
        raise ValueError(f"must have at most {GREATEST_SCRIPT_BYTES:,} bytes")
    return script
