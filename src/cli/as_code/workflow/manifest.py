"""Workflows as a folder of files holds them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cli.as_code.checking import check
from cli.as_code.files import read_all
from cli.as_code.problem import Problem
from cli.as_code.workflow.checking import WORKFLOWS
from cli.as_code.workflow.form import WorkflowForm
from cli.as_code.yaml_reading import Document


@dataclass(frozen=True, slots=True)
class Manifest:
    """One workflow of a file."""

    document: Document
    form: WorkflowForm

    @property
    def name(self) -> str:
        return self.form.name

    @property
    def team(self) -> str:
        return self.form.team


def read_manifests(places: Iterable[Path]) -> list[Manifest]:
    """Answers the workflows of all files and folders; raises Unusable with everything wrong in any of them."""
    return read_all(places, WORKFLOWS.noun, _manifest)


def _manifest(document: Document, _folder: Path) -> tuple[Manifest | None, list[Problem]]:
    form, problems = check(document, WORKFLOWS)
    return (Manifest(document, form) if form else None), problems
