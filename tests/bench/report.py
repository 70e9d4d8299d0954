"""Samples, and the table that tells them."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass(slots=True)
class Samples:
    """Seconds, as they were measured."""

    name: str
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def p99(self) -> float:
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(len(self.seconds) * 0.99))]


def show(samples: list[Samples], title: str, *, compared_with: int) -> None:
    """Prints medians, 99th percentiles, and the ratio of every median to those of the first `compared_with`."""
    firsts = samples[:compared_with]
    table = Table(title=title)
    for column in ("", "samples", "median ms", "p99 ms", *(f"× {s.name}" for s in firsts)):
        table.add_column(column, justify="left" if not column else "right", no_wrap=not column)
    for row, sample in enumerate(samples):
        ratios = [f"{sample.median / other.median:.2f}" if i < row else "" for i, other in enumerate(firsts)]
        table.add_row(
            sample.name, str(len(sample.seconds)), f"{sample.median * 1e3:.2f}", f"{sample.p99 * 1e3:.2f}", *ratios
        )
    Console().print(table)
