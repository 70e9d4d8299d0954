"""The memory of real processes under many floods at one time; `python -m tests.bench.floods` is the long form."""

from __future__ import annotations

import pytest

from tests.bench.floods import measure


@pytest.mark.timeout(300)  # a loaded machine takes its time to start an installation and fifty sandboxes
def test_fifty_floods_at_one_time_cost_server_and_executor_less_than_64_mib_each() -> None:
    floods = measure(50, 4)

    assert set(floods.growth) == {"server", "executor"}
    assert not floods.violations
