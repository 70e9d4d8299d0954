"""What differs between two versions, as unified text: their settings first, line by line, then their scripts.

Settings are compared in the canonical form that the digest is made of: what has another digest has a difference, and
what has the same one has none.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from server.domain.version import Version

MOST_STEPS = 50_000_000
"""About how many comparisons one diff may take, so that nobody writes two scripts that take minutes to compare."""
_NO_NEWLINE = "\\ No newline at end of file\n"

_Change = tuple[str, int, int, int, int]
"""As difflib has them: equal, replace, delete or insert; from and to in the old lines, from and to in the new ones."""


def difference(old: Version, new: Version) -> str:
    """Answers unified text with three lines of context; empty where both would run the same.

    May take seconds of one core: call it where nobody else waits for it.
    """
    parts = (("settings", _settings(old), _settings(new)), ("script", _script(old), _script(new)))
    names = (f"version {old.number}", f"version {new.number}")
    return "".join(
        line
        for part, before, after in parts
        for line in _unified(before, after, f"{names[0]}/{part}", f"{names[1]}/{part}")
    )


def _settings(version: Version) -> list[str]:
    """Answers `name: JSON` lines: one for each setting, one for each property of each limit and parameter."""
    form = json.loads(version.content.canonical())
    limits, parameters = form.pop("limits"), form.pop("parameters")
    del form["script"]
    form["parameters"] = [parameter["name"] for parameter in parameters]  # their order is part of the digest, too
    form |= {f"limits.{key}": value for key, value in limits.items()}
    for parameter in parameters:
        name = parameter.pop("name")
        form |= {f"parameters.{name}.{key}": value for key, value in parameter.items()}
    return [f"{key}: {json.dumps(form[key], ensure_ascii=False)}\n" for key in sorted(form)]


def _script(version: Version) -> list[str]:
    """Answers the lines of the script; only a line feed ends one, and a missing last one is said as diff says it."""
    *lines, last = version.content.script.split("\n")
    return [f"{line}\n" for line in lines] + ([f"{last}\n{_NO_NEWLINE}"] if last else [])


def _unified(old: Sequence[str], new: Sequence[str], old_name: str, new_name: str) -> Iterator[str]:
    if old == new:
        return
    yield f"--- {old_name}\n"
    yield f"+++ {new_name}\n"
    for hunk in _Changes(old, new).get_grouped_opcodes(3):
        first, last = hunk[0], hunk[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n"
        for kind, i, k, j, m in hunk:
            if kind == "equal":
                yield from (f" {line}" for line in old[i:k])
                continue
            yield from (f"-{line}" for line in old[i:k])
            yield from (f"+{line}" for line in new[j:m])


def _range(start: int, stop: int) -> str:
    """Answers lines as a hunk's head counts them: from 1, and an empty range by the line before it."""
    length = stop - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


class _Changes(SequenceMatcher[str]):
    """difflib's grouping of changes into hunks, over changes that were found within `MOST_STEPS`."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__()
        self._changes = _changes(old, new)

    def get_opcodes(self) -> list[_Change]:  # type: ignore[override] # difflib's stubs say Literal for the kinds
        return self._changes


def _changes(old: Sequence[str], new: Sequence[str]) -> list[_Change]:
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    before, after = old[head : len(old) - tail], new[head : len(new) - tail]
    changes: list[_Change] = [("equal", 0, head, 0, head)] if head else []
    for kind, i, k, j, m in _changes_within(before, after):
        changes.append((kind, i + head, k + head, j + head, m + head))
    if tail:
        changes.append(("equal", len(old) - tail, len(old), len(new) - tail, len(new)))
    return changes


def _changes_within(before: Sequence[str], after: Sequence[str]) -> Sequence[_Change]:
    """Looks for common parts, or calls everything replaced where that could take too long."""
    counts = Counter(after)
    pairs = sum(counts[line] for line in before)
    if pairs * min(len(before), len(after)) <= MOST_STEPS:
        return SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [("replace", 0, len(before), 0, len(after))]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Answers how many lines both begin with."""
    for index, (line, opposite) in enumerate(zip(one, other, strict=False)):
        if line != opposite:
            return index
    return min(len(one), len(other))
