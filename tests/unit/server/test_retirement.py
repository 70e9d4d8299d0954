"""Out of service and back: every state, every move, and where a restored runbook comes to stand."""

from __future__ import annotations

import pytest

from kernel.errors import FailedPrecondition
from server.domain.retirement import archive, deprecate, restore
from server.domain.runbook import MOVES, RunbookStatus
from tests.unit.server.test_runbook import AT, a_runbook

STATES = list(RunbookStatus)
DRAFT, PENDING_REVIEW, APPROVED, DEPRECATED, ARCHIVED = STATES


@pytest.mark.parametrize("status", STATES)
def test_everything_is_archived_and_once_is_enough(status: RunbookStatus) -> None:
    before = a_runbook(status, current=1)
    after = archive(before, at=AT)
    assert (after.status, after.current_version) == (ARCHIVED, 1)
    assert (after == before) is (status is ARCHIVED)


@pytest.mark.parametrize("status", [s for s in STATES if s is not APPROVED])
def test_only_what_is_approved_is_deprecated(status: RunbookStatus) -> None:
    assert deprecate(a_runbook(APPROVED, current=1), at=AT).status is DEPRECATED
    with pytest.raises(FailedPrecondition) as refused:
        deprecate(a_runbook(status, current=1), at=AT)
    assert refused.value.metadata == {"from": status, "to": "DEPRECATED"}


@pytest.mark.parametrize(
    ("status", "current", "waits", "expected"),
    [
        (ARCHIVED, 1, False, APPROVED),
        (ARCHIVED, 1, True, APPROVED),
        (ARCHIVED, None, True, PENDING_REVIEW),
        (ARCHIVED, None, False, DRAFT),
        (DEPRECATED, 1, True, APPROVED),
    ],
)
def test_where_a_restored_runbook_comes_to_stand(
    status: RunbookStatus, current: int | None, waits: bool, expected: RunbookStatus
) -> None:
    assert restore(a_runbook(status, current=current), waits=waits, at=AT).status is expected
    assert expected in MOVES[status]


@pytest.mark.parametrize("status", [DRAFT, PENDING_REVIEW, APPROVED])
def test_what_is_in_service_is_not_restored(status: RunbookStatus) -> None:
    with pytest.raises(FailedPrecondition) as refused:
        restore(a_runbook(status), waits=False, at=AT)
    assert refused.value.reason == "ILLEGAL_TRANSITION"
    assert refused.value.metadata["from"] == status
