"""What reports of long runs have in common: a table for people, and JSON for programs."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def show_table(title: str, rows: Iterable[tuple[str, str]], violations: Sequence[str], console: Console) -> None:
    table = Table(title=title, show_header=False)
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
    for violation in violations:
        console.print(f"VIOLATED: {violation}", style="bold red", markup=False, highlight=False)
    if not violations:
        console.print("Nothing was violated.", style="bold green")


def as_json(outcome: Any) -> str:
    fields = {field.name: getattr(outcome, field.name) for field in dataclasses.fields(outcome)}
    return json.dumps(fields, indent=2, sort_keys=True)


def counted(counter: Counter[Any]) -> str:
    return ", ".join(f"{name} {times}" for name, times in sorted(counter.items()))
