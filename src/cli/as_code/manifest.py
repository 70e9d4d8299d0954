"""Runbooks as a folder of files holds them: found, read and checked, all of them before anything is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cli.as_code.checking import check
from cli.as_code.conversion import to_version
from cli.as_code.form import RunbookForm
from cli.as_code.problem import Problem, Unusable
from cli.as_code.script_file import GREATEST_SCRIPT_BYTES, read_script
from cli.as_code.yaml_reading import GREATEST_FILE_BYTES, Document, read_documents
from oncall.digest import digest_of
from oncall.v1.runbook_pb2 import RunbookVersion

SUFFIXES = (".yaml", ".yml")


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
    def file(self) -> str:
        return self.document.file


def read_manifests(places: Iterable[Path]) -> list[Manifest]:
    """Answers the runbooks of all files and folders; raises Unusable with everything wrong in any of them."""
    problems: list[Problem] = []
    manifests: list[Manifest] = []
    for path in _files(places, problems):
        try:
            manifests += _read(path, problems)
        except Unusable as error:
            problems += error.problems
    problems += _named_twice(manifests)
    if problems:
        raise Unusable(sorted(problems))
    return manifests


def _files(places: Iterable[Path], problems: list[Problem]) -> Iterator[Path]:
    """Yields files as named, and those of folders by their suffix: hidden ones, and links that lead out, left out."""
    for place in dict.fromkeys(places):
        if not place.is_dir():
            yield place
            continue
        inside = place.resolve()
        found = sorted(path for path in place.rglob("*") if path.suffix in SUFFIXES and _is_shown(path, place))
        kept = [path for path in found if path.is_file() and path.resolve().is_relative_to(inside)]
        if not kept:
            problems.append(Problem(str(place), 0, "", f"holds no {' or '.join(SUFFIXES)} file"))
        yield from kept


def _is_shown(path: Path, folder: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _read(path: Path, problems: list[Problem]) -> Iterator[Manifest]:
    try:
        with path.open("rb") as file:
            data = file.read(GREATEST_FILE_BYTES + 1)
    except OSError as error:
        raise Unusable([Problem(str(path), 0, "", f"cannot be read: {error.strerror}")]) from None
    documents = read_documents(str(path), data)
    if not documents:
        problems.append(Problem(str(path), 0, "", "holds no runbook"))
    for document in documents:
        manifest, wrong = _manifest(document, path.parent)
        problems += wrong
        if manifest:
            yield manifest


def _manifest(document: Document, folder: Path) -> tuple[Manifest | None, list[Problem]]:
    form, problems = check(document)
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


def _named_twice(manifests: Iterable[Manifest]) -> Iterator[Problem]:
    first: dict[tuple[str, str], Manifest] = {}
    for manifest in manifests:
        other = first.setdefault((manifest.form.team, manifest.name), manifest)
        if other is not manifest:
            place = f"{other.file}:{other.document.line}"
            yield manifest.document.problem(("name",), f"{manifest.name} stands in {place}, too")
