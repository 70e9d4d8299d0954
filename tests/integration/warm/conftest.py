"""What the tests of standing sandboxes share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from executor.identity import new_executor_id
from executor.sandbox import pool
from executor.sandbox.cgroup import CgroupRoot, open_root
from executor.sandbox.command import Job


@pytest.fixture
def cgroups() -> Iterator[CgroupRoot]:
    root = open_root(new_executor_id())
    yield root
    left = [folder for h in root.hierarchies for folder in h.folder.iterdir() if folder.is_dir()]
    root.remove()
    assert left == []


@pytest.fixture
def cold_starts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sandboxes that did not stand ready, as they are started."""
    started: list[str] = []
    start = pool.process.start

    async def watched(job: Job, **rest: Any) -> Any:
        started.append(rest["name"])
        return await start(job, **rest)

    monkeypatch.setattr(pool.process, "start", watched)
    return started
