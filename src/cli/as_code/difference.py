"""Differences as unified text."""

from __future__ import annotations

import difflib


def unified(old: str, new: str, old_name: str, new_name: str) -> str:
    """Answers the difference of two texts; empty where there is none."""
    lines = list(difflib.unified_diff(_lines(old), _lines(new), old_name, new_name))
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    """Answers the lines by line feeds alone: other characters must not hide a change from who reads the difference."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
