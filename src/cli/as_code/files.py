"""Documents as files and folders hold them: found and read, all of them before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

from cli.as_code.problem import Problem, Unusable
from cli.as_code.yaml_reading import GREATEST_FILE_BYTES, Document, read_documents

SUFFIXES = (".yaml", ".yml")


class Described(Protocol):
    """What a document describes."""

    @property
    def document(self) -> Document: ...
    @property
    def name(self) -> str: ...
    @property
    def team(self) -> str:
        """Name or id of its team, as the file says it; may be empty."""


Thing = TypeVar("Thing", bound=Described)
Read = Callable[[Document, Path], tuple[Thing | None, list[Problem]]]
"""Answers what a document describes, given the folder of its file, and all that is wrong with it."""


def read_all(places: Iterable[Path], noun: str, read: Read[Thing]) -> list[Thing]:
    """Answers what all files and folders describe; raises Unusable with everything wrong in any of them."""
    problems: list[Problem] = []
    found: list[Thing] = []
    for path in _files(places, problems):
        try:
            for document in _documents(path, noun):
                thing, wrong = read(document, path.parent)
                problems += wrong
                found += [thing] if thing else []
        except Unusable as error:
            problems += error.problems
    problems += _named_twice(found)
    if problems:
        raise Unusable(sorted(problems))
    return found


def twice(thing: Described, other: Described) -> Problem:
    """Says that two documents describe the same."""
    place = f"{other.document.file}:{other.document.line}"
    return thing.document.problem(("name",), f"{thing.name} stands in {place}, too")


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


def _documents(path: Path, noun: str) -> list[Document]:
    try:
        with path.open("rb") as file:
            data = file.read(GREATEST_FILE_BYTES + 1)
    except OSError as error:
        raise Unusable([Problem(str(path), 0, "", f"cannot be read: {error.strerror}")]) from None
    documents = read_documents(str(path), data)
    if not documents:
        raise Unusable([Problem(str(path), 0, "", f"holds no {noun}")])
    return documents


def _named_twice(things: Iterable[Described]) -> Iterator[Problem]:
    first: dict[tuple[str, str], Described] = {}
    for thing in things:
        other = first.setdefault((thing.team, thing.name), thing)
        if other is not thing:
            yield twice(thing, other)
