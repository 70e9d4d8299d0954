"""Puts exported files into a folder: each whole or not at all, and none over what somebody wrote by hand."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.as_code.checking import Format, check
from cli.as_code.problem import Unusable
from cli.as_code.yaml_reading import read_documents
from cli.failure import fail
from cli.output import note, print_json

To = Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where to; made if it does not exist.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that say something else.")]


def file_name(name: str) -> str:
    """Answers a name as one of a file: letters, digits, `.`, `_` and `-` as they are, what is between as one `-`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "unnamed"


def print_written(to: Path, files: Mapping[str, str], written: Sequence[str], *, as_json: bool) -> None:
    """Says which files of all were written."""
    if as_json:
        print_json({"folder": str(to), "written": written, "unchanged": sorted(set(files) - set(written))})
        return
    for name in written:
        print(to / name)
    note(f"{len(written)} files written, {len(files) - len(written)} as they were")


def write_files(
    folder: Path, files: Mapping[str, str], written_as: Format[Any], *, replaceable: Collection[str]
) -> list[str]:
    """Writes the files that are missing or say something else, and answers their names.

    Looks at all of them first: one that says something else and is not `replaceable` ends the command.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        changed = sorted(name for name, content in files.items() if not _says_so(folder / name, content, written_as))
        in_the_way = [name for name in changed if name not in replaceable and (folder / name).exists()]
        if in_the_way:
            fail(f"these files say something else; --overwrite replaces them: {', '.join(in_the_way)}")
        for name in changed:
            _put(folder / name, files[name].encode())
    except OSError as error:
        fail(f"cannot write to {folder}: {error.strerror}")
    return changed


def _says_so(path: Path, content: str, written_as: Format[Any]) -> bool:
    """Whether a file holds `content`, or describes the same in other words."""
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return False
    if found == content.encode():
        return True
    return path.suffix == ".yaml" and _form(found, written_as) == _form(content.encode(), written_as) is not None


def _form(data: bytes, written_as: Format[Any]) -> str | None:
    """Answers what a file says, in one way of writing it; None where it is no file of that format."""
    try:
        documents = read_documents("", data)
    except Unusable:
        return None
    form = check(documents[0], written_as)[0] if len(documents) == 1 else None
    return form.model_dump_json() if form is not None else None


def _put(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".export-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), 0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
