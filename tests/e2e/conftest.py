"""Stacks for the tests of this folder; each has a data folder and ports of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.launched import Launched

Launch = Callable[..., Launched]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts `oncall up`; what still runs at the end of the test is stopped."""
    launched: list[Launched] = []

    def start(*arguments: str, env: dict[str, str] | None = None) -> Launched:
        stack = Launched(tmp_path / "data", *arguments, env=env)
        launched.append(stack)
        return stack

    yield start
    for stack in launched:
        stack.close()


@pytest.fixture(scope="module")
def demo_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    """One demo for all tests of a module that only use it."""
    stack = Launched(tmp_path_factory.mktemp("demo") / "data", "--demo")
    try:
        stack.wait_until_it_serves()
        yield stack
    finally:
        stack.close()
