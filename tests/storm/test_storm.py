"""The short form: two servers, two gateways, everything struck once, and nothing answered that was taken away."""

from __future__ import annotations

import os

import pytest

from tests.storm.campaign import run
from tests.storm.plan import SHORT, Blow
from tests.storm.site import SERVERS

SECONDS = 600


@pytest.mark.timeout(SECONDS)
def test_nothing_is_answered_after_an_acknowledgement_and_every_access_is_counted() -> None:
    seed = int(os.environ.get("ONCALL_TEST_STORM_SEED") or int.from_bytes(os.urandom(4), "big"))
    outcome = run(SHORT, seed, print)
    assert outcome.violations == [], f"with the seed {seed}"
    assert set(outcome.struck) == {blow.value for blow in Blow}
    assert outcome.requests >= SHORT.requests
    assert outcome.changes["revoked"] > 0
    assert outcome.refused_after >= outcome.changes["revoked"] * len(SERVERS)
    assert outcome.statuses[200] > 0
    assert outcome.waited_for_frozen
