"""A whole installation for whoever is not a test of the launcher: `oncall up --demo` in a temporary folder."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.e2e.launched import Launched


@contextlib.contextmanager
def running_stack() -> Iterator[dict[str, Any]]:
    """Yields the content of `demo.json` once everything is ready; stops it all at the end."""
    with tempfile.TemporaryDirectory(prefix="oncall-", ignore_cleanup_errors=True) as folder:
        stack = Launched(Path(folder) / "data", "--demo")
        try:
            stack.wait_until_it_serves()
            yield stack.demo()
        finally:
            stack.close()
