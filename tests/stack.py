"""A whole installation for whoever is not a test of the launcher: `oncall up --demo` in a temporary folder."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.e2e.launched import Launched


@contextlib.contextmanager
def launched_stack(**environment: str) -> Iterator[Launched]:
    """Yields it once everything is ready; stops it all at the end. What is given counts as set in its environment."""
    with tempfile.TemporaryDirectory(prefix="oncall-", ignore_cleanup_errors=True) as folder:
        stack = Launched(Path(folder) / "data", "--demo", env=environment)
        try:
            stack.wait_until_it_serves()
            yield stack
        finally:
            stack.close()


@contextlib.contextmanager
def running_stack() -> Iterator[dict[str, Any]]:
    """Yields the content of `demo.json` once everything is ready; stops it all at the end."""
    with launched_stack() as stack:
        yield stack.demo()
