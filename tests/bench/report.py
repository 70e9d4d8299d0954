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

    def percentile(self, percent: int) -> float:
        return sorted(self.seconds)[min(len(self.seconds) - 1, len(self.seconds) * percent // 100)]


def show(samples: list[Samples], title: str, *, compared_with: int) -> None:
    """Prints medians and percentiles, and the ratio of every median to those of the first `compared_with`.

    On a machine that others use, too, the 10th percentile is nearest to what it does when it is quiet.
    """
    firsts = samples[:compared_with]
    table = Table(title=f"{title}, {len(samples[0].seconds)} samples")
    for column in ("", "p10 ms", "median ms", "p99 ms", *(f"× {s.name}" for s in firsts)):
        table.add_column(column, justify="left" if not column else "right", no_wrap=not column)
    for row, sample in enumerate(samples):
        ratios = [f"{sample.median / other.median:.2f}" if i < row else "" for i, other in enumerate(firsts)]
        times = (sample.percentile(10), sample.median, sample.percentile(99))
        table.add_row(sample.name, *(f"{seconds * 1e3:.2f}" for seconds in times), *ratios)
    Console().print(table)
