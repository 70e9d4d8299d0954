"""Reads YAML 1.2 into plain data, and remembers on which line everything stands.

What a reviewer might not see is refused: a key given twice, an alias (also because a few of them can describe
billions of values), a tag (which would name a type, or a program to run) and a directive. No object is ever built
but text, numbers, booleans, null, lists and mappings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    ScalarEvent,
)
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from cli.as_code.problem import Path, Problem, Unusable, dotted

GREATEST_FILE_BYTES = 4 * 1024 * 1024
DEEPEST = 30

_TAG = "tag:yaml.org,2002:"


@dataclass(slots=True)
class Document:
    """One document of a file: its data, and the line of each key and each value within it."""

    file: str
    line: int
    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)

    def problem(self, path: Path, sentence: str) -> Problem:
        """Answers a problem at `path`, or at the nearest place around it that the file shows."""
        shown = path
        while shown and shown not in self.lines:
            shown = shown[:-1]
        return Problem(self.file, self.lines.get(shown, self.line), dotted(path), sentence)


def read_documents(file: str, data: bytes) -> list[Document]:
    """Answers the documents of a file, empty ones left out; raises Unusable with all that is wrong."""
    if len(data) > GREATEST_FILE_BYTES:
        raise Unusable([Problem(file, 0, "", f"must have at most {GREATEST_FILE_BYTES:,} bytes")])
    try:
        text = data.decode("utf-8-sig")
        problems = list(_hidden(file, text))
        if problems:
            raise Unusable(problems)
        nodes = [node for node in YAML(typ="safe", pure=True).compose_all(text) if not _is_empty(node)]
    except UnicodeDecodeError:
        raise Unusable([Problem(file, 0, "", "is not UTF-8 text")]) from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise Unusable([Problem(file, line, "", f"is no YAML: {error.problem}")]) from None
    except YAMLError as error:
        # The first line only: what follows shows the text around, which may not be meant for a log.
        raise Unusable([Problem(file, 0, "", f"is no YAML: {str(error).partition(chr(10))[0]}")]) from None
    return [_document(file, node) for node in nodes]


def _is_empty(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == f"{_TAG}null"


def _hidden(file: str, text: str) -> Iterator[Problem]:
    """Yields what is refused wherever it stands; works on events, which need neither recursion nor memory."""
    depth = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        line = event.start_mark.line + 1
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST:
            yield Problem(file, line, "", f"must be nested at most {DEEPEST} deep")
            return
        if isinstance(event, DocumentStartEvent) and (event.version or event.tags):
            yield Problem(file, line, "", "must have no % directive")
        elif isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            yield Problem(file, line, "", "must have no anchor or alias (& or *): write it out")
        elif isinstance(event, ScalarEvent | CollectionStartEvent) and event.tag not in {None, "!"}:
            yield Problem(file, line, "", f"must have no tag such as {event.tag}: quote what is text")


def _document(file: str, node: Node) -> Document:
    document = Document(file, node.start_mark.line + 1)
    problems: list[Problem] = []
    document.data = _plain(document, node, (), problems)
    if problems:
        raise Unusable(problems)
    return document


def _plain(document: Document, node: Node, path: Path, problems: list[Problem]) -> Any:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, MappingNode):
        return _mapping(document, node, path, problems)
    if isinstance(node, SequenceNode):
        return [_plain(document, item, (*path, index), problems) for index, item in enumerate(node.value)]
    try:
        return _scalar(node)
    except ValueError:
        problems.append(document.problem(path, "is no number that can be used"))
        return None


def _mapping(document: Document, node: MappingNode, path: Path, problems: list[Problem]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, ScalarNode):
            problems.append(Problem(document.file, line, dotted(path), "a key must be a word"))
            continue
        place = (*path, key.value)
        if place in document.lines:
            sentence = f"is given twice, on lines {document.lines[place]} and {line}"
            problems.append(Problem(document.file, line, dotted(place), sentence))
            continue
        document.lines[place] = line
        found[key.value] = _plain(document, value, place, problems)
    return found


def _scalar(node: Node) -> Any:
    kind = str(node.tag).removeprefix(_TAG)
    text: str = node.value
    match kind:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return _integer(text.replace("_", ""))
        case "float":
            return _float(text.replace("_", "").lower())
    return text  # also what looks like a date: nothing here is one


def _integer(text: str) -> int:
    digits = text.lstrip("+-")
    number = int(digits, _BASES.get(digits[:2].lower(), 10))
    return -number if text.startswith("-") else number


def _float(text: str) -> float:
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


_BASES: Mapping[str, int] = {"0x": 16, "0o": 8, "0b": 2}
