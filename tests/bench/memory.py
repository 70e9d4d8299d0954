"""How much resident memory processes come to have while something goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import psutil

SAMPLE_SECONDS = 0.02


class Watch:
    """Samples resident memory from the beginning to the end of the block: what it was at first, and at most."""

    def __init__(self, processes: Mapping[str, psutil.Process]) -> None:
        self._processes = processes
        self.before = self._sample()
        self.peak = dict(self.before)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    @property
    def growth(self) -> dict[str, int]:
        """Bytes, for each process."""
        return {name: self.peak[name] - before for name, before in self.before.items()}

    def _sample(self) -> dict[str, int]:
        return {name: process.memory_info().rss for name, process in self._processes.items()}

    def _look(self) -> None:
        while not self._over.is_set():
            for name, rss in self._sample().items():
                self.peak[name] = max(self.peak[name], rss)
            time.sleep(SAMPLE_SECONDS)
