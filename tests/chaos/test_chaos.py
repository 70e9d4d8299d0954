"""The short form: every process of the platform killed once while executions run, and nothing of it may show."""

from __future__ import annotations

import os

import pytest

from tests.chaos.campaign import run
from tests.chaos.plan import PROCESSES, SHORT

SECONDS = 300


@pytest.mark.timeout(SECONDS)
def test_whatever_is_killed_every_execution_ends_once_and_its_log_is_whole() -> None:
    seed = int(os.environ.get("ONCALL_TEST_CHAOS_SEED") or int.from_bytes(os.urandom(4), "big"))
    outcome = run(SHORT, seed, print)
    assert outcome.violations == [], f"with the seed {seed}"
    assert set(outcome.kills) == set(PROCESSES)
    assert outcome.accepted + outcome.unacknowledged + outcome.never_made == SHORT.executions
    assert outcome.attempts >= outcome.accepted * 0.8
    assert outcome.marks > 0
