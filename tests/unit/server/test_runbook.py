"""The lifecycle of a runbook and the review of its versions, as tables of moves."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from kernel.errors import Aborted, FailedPrecondition, PermissionDenied
from kernel.execution.content import ScriptLanguage, VersionContent
from server.domain.runbook import (
    MOVES,
    REVIEW_MOVES,
    Runbook,
    RunbookStatus,
    approve,
    submit,
)
from server.domain.version import Review, ReviewStatus, Version

AT = datetime(2026, 1, 1, tzinfo=UTC)
CREATOR, AUTHOR, SUBMITTER, REVIEWER = (UUID(int=number) for number in range(1, 5))


def a_runbook(status: RunbookStatus = RunbookStatus.DRAFT, *, current: int | None = None) -> Runbook:
    return Runbook(UUID(int=9), UUID(int=8), None, "name", "", status, current, 1, 1, CREATOR, AT, AT)


def a_version(status: ReviewStatus = ReviewStatus.DRAFT, *, number: int = 1) -> Version:
    content = VersionContent("true", ScriptLanguage.BASH)
    review = Review(status, submitted_by=SUBMITTER if status is not ReviewStatus.DRAFT else None)
    return Version(UUID(int=9), number, content, content.digest(), "", AUTHOR, AT, review)


def _approve(runbook: Runbook, version: Version, *, by: UUID = REVIEWER) -> tuple[Runbook, Version]:
    return approve(runbook, version, digest=version.digest, comment="", by=by, at=AT)


def test_every_state_has_its_moves_and_leads_to_known_states() -> None:
    assert set(MOVES) == set(RunbookStatus)
    assert set().union(*MOVES.values()) == set(RunbookStatus)
    assert set(REVIEW_MOVES) == set(ReviewStatus)


@pytest.mark.parametrize(
    ("status", "submitted", "approved"),
    [
        (RunbookStatus.DRAFT, RunbookStatus.PENDING_REVIEW, None),
        (RunbookStatus.PENDING_REVIEW, RunbookStatus.PENDING_REVIEW, RunbookStatus.APPROVED),
        (RunbookStatus.APPROVED, RunbookStatus.APPROVED, RunbookStatus.APPROVED),
        (RunbookStatus.DEPRECATED, RunbookStatus.DEPRECATED, RunbookStatus.DEPRECATED),
    ],
)
def test_where_review_takes_a_runbook(
    status: RunbookStatus, submitted: RunbookStatus, approved: RunbookStatus | None
) -> None:
    runbook, version = submit(a_runbook(status), a_version(), by=SUBMITTER, at=AT)
    assert (runbook.status, version.review.status) == (submitted, ReviewStatus.PENDING_REVIEW)
    assert runbook.status is status or runbook.status in MOVES[status]
    if approved:
        runbook, version = _approve(a_runbook(status), a_version(ReviewStatus.PENDING_REVIEW, number=4))
        assert (runbook.status, runbook.current_version) == (approved, 4)
        assert runbook.status is status or runbook.status in MOVES[status]


@pytest.mark.parametrize("status", [s for s in ReviewStatus if s is not ReviewStatus.DRAFT])
def test_only_a_draft_is_submitted(status: ReviewStatus) -> None:
    with pytest.raises(FailedPrecondition) as refused:
        submit(a_runbook(), a_version(status), by=SUBMITTER, at=AT)
    assert refused.value.reason == "ILLEGAL_TRANSITION"
    assert refused.value.metadata == {"from": status, "to": "PENDING_REVIEW"}
    assert status in refused.value.message
    assert "PENDING_REVIEW" in refused.value.message


@pytest.mark.parametrize("status", [s for s in ReviewStatus if s is not ReviewStatus.PENDING_REVIEW])
def test_only_what_waits_for_review_is_approved(status: ReviewStatus) -> None:
    with pytest.raises(FailedPrecondition) as refused:
        _approve(a_runbook(), a_version(status))
    assert refused.value.reason == "ILLEGAL_TRANSITION"


@pytest.mark.parametrize("by", [CREATOR, AUTHOR, SUBMITTER])
def test_four_eyes_come_before_everything_else(by: UUID) -> None:
    with pytest.raises(PermissionDenied) as refused:
        approve(
            a_runbook(RunbookStatus.ARCHIVED),
            a_version(ReviewStatus.PENDING_REVIEW),
            digest="",
            comment="",
            by=by,
            at=AT,
        )
    assert refused.value.reason == "SELF_APPROVAL"


def test_another_digest_is_not_what_was_read() -> None:
    version = a_version(ReviewStatus.PENDING_REVIEW)
    for digest in ("", version.digest.upper(), "0" * 64):
        with pytest.raises(Aborted) as refused:
            approve(a_runbook(), version, digest=digest, comment="", by=REVIEWER, at=AT)
        assert refused.value.reason == "DIGEST_MISMATCH"


def test_an_archived_runbook_is_neither_submitted_nor_approved() -> None:
    archived = a_runbook(RunbookStatus.ARCHIVED)
    with pytest.raises(FailedPrecondition, match="archived"):
        submit(archived, a_version(), by=SUBMITTER, at=AT)
    with pytest.raises(FailedPrecondition, match="archived"):
        _approve(archived, a_version(ReviewStatus.PENDING_REVIEW))


def test_every_change_changes_the_etag() -> None:
    runbook = a_runbook()
    assert runbook.changed(AT).etag != runbook.etag
