"""The lifecycle of a runbook and the review of its versions: tables of allowed moves, and four eyes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kernel.errors import Aborted, FailedPrecondition, PermissionDenied
from server.domain.version import Review, ReviewStatus, Version
from server.domain.violation import Violations

LONGEST_DESCRIPTION = 4000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class RunbookStatus(StrEnum):
    DRAFT = "DRAFT"
    PENDING_REVIEW = "PENDING_REVIEW"
    APPROVED = "APPROVED"
    DEPRECATED = "DEPRECATED"
    ARCHIVED = "ARCHIVED"


DRAFT, PENDING_REVIEW, APPROVED = RunbookStatus.DRAFT, RunbookStatus.PENDING_REVIEW, RunbookStatus.APPROVED
DEPRECATED, ARCHIVED = RunbookStatus.DEPRECATED, RunbookStatus.ARCHIVED

MOVES: dict[RunbookStatus, frozenset[RunbookStatus]] = {
    DRAFT: frozenset({PENDING_REVIEW, ARCHIVED}),
    PENDING_REVIEW: frozenset({APPROVED, DRAFT, ARCHIVED}),
    APPROVED: frozenset({DEPRECATED, ARCHIVED}),
    DEPRECATED: frozenset({APPROVED, ARCHIVED}),
    ARCHIVED: frozenset({DRAFT, PENDING_REVIEW, APPROVED}),
}

REVIEW_MOVES: dict[ReviewStatus, frozenset[ReviewStatus]] = {
    ReviewStatus.DRAFT: frozenset({ReviewStatus.PENDING_REVIEW}),
    ReviewStatus.PENDING_REVIEW: frozenset({ReviewStatus.APPROVED, ReviewStatus.REJECTED, ReviewStatus.DRAFT}),
    ReviewStatus.APPROVED: frozenset(),
    ReviewStatus.REJECTED: frozenset(),
}

RUNNABLE = frozenset({APPROVED, DEPRECATED})


@dataclass(frozen=True, slots=True)
class Runbook:
    """A reviewed script that people of a team may run; what runs is in its versions."""

    id: UUID
    team_id: UUID
    service_id: UUID | None
    name: str
    description: str
    status: RunbookStatus
    current_version: int | None
    latest_version: int
    revision: int
    created_by: UUID
    created_at: datetime
    updated_at: datetime

    @property
    def etag(self) -> str:
        """Changes with every change; opaque, so that nobody counts on its form."""
        return hashlib.sha256(f"{self.id}:{self.revision}".encode()).hexdigest()[:16]

    @property
    def runnable(self) -> bool:
        return self.status in RUNNABLE and self.current_version is not None

    def changed(self, at: datetime, **changes: object) -> Runbook:
        """Answers the runbook with `changes`, at its next revision."""
        return replace(self, revision=self.revision + 1, updated_at=at, **changes)  # type: ignore[arg-type]

    def require_etag(self, etag: str) -> None:
        """Refuses a change by somebody who read an older revision; an empty etag asks for nothing."""
        if etag and etag != self.etag:
            raise Aborted("somebody changed the runbook meanwhile; read it again", reason="STALE_ETAG")

    def refuse_if_archived(self) -> None:
        if self.status is ARCHIVED:
            raise FailedPrecondition("the runbook is archived; restore it first", reason="RUNBOOK_ARCHIVED")


def check_name(violations: Violations, field: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        violations.add(field, "must be 1 to 100 letters, digits, '.', '_' or '-', beginning with a letter or digit")


def check_description(violations: Violations, field: str, description: str) -> None:
    violations.text(field, description, longest=LONGEST_DESCRIPTION)


def submit(runbook: Runbook, version: Version, *, by: UUID, at: datetime) -> tuple[Runbook, Version]:
    """Submits a draft for review. A runbook that has an approved version stays as it is, and runnable."""
    runbook.refuse_if_archived()
    _check_move(version, ReviewStatus.PENDING_REVIEW)
    review = Review(ReviewStatus.PENDING_REVIEW, submitted_by=by, submitted_at=at)
    status = PENDING_REVIEW if runbook.status is DRAFT else runbook.status
    return runbook.changed(at, status=status), replace(version, review=review)


def approve(
    runbook: Runbook, version: Version, *, digest: str, comment: str, by: UUID, at: datetime
) -> tuple[Runbook, Version]:
    """Approves what another person wrote and submitted, and makes it what runs.

    No role is an exception to four eyes. `digest` proves that the reviewer read this and nothing else.
    """
    _require_other_eyes(runbook, version, by)
    _require_digest(version, digest)
    runbook.refuse_if_archived()
    _check_move(version, ReviewStatus.APPROVED)
    reviewed = replace(version.review, status=ReviewStatus.APPROVED, reviewed_by=by, reviewed_at=at, comment=comment)
    status = APPROVED if runbook.status is PENDING_REVIEW else runbook.status
    return runbook.changed(at, status=status, current_version=version.number), replace(version, review=reviewed)


def reject(
    runbook: Runbook, version: Version, *, digest: str, comment: str, others_wait: bool, by: UUID, at: datetime
) -> tuple[Runbook, Version]:
    """Ends the review of a version for good; who may not approve may not reject either.

    `others_wait` tells whether another version of the runbook waits for review.
    """
    _require_other_eyes(runbook, version, by)
    _require_digest(version, digest)
    runbook.refuse_if_archived()
    _check_move(version, ReviewStatus.REJECTED)
    reviewed = replace(version.review, status=ReviewStatus.REJECTED, reviewed_by=by, reviewed_at=at, comment=comment)
    return _without_review(runbook, others_wait, at), replace(version, review=reviewed)


def withdraw(runbook: Runbook, version: Version, *, others_wait: bool, at: datetime) -> tuple[Runbook, Version]:
    """Takes a submission back; the version is a draft as before it, and whoever submits it next answers for it."""
    runbook.refuse_if_archived()
    _check_move(version, ReviewStatus.DRAFT)
    return _without_review(runbook, others_wait, at), replace(version, review=Review())


def roll_back(runbook: Runbook, version: Version, *, at: datetime) -> Runbook:
    """Makes another approved version what runs; the same runbook where it is that already."""
    runbook.refuse_if_archived()
    require_approved(version)
    if runbook.current_version == version.number:
        return runbook
    return runbook.changed(at, current_version=version.number)


def require_approved(version: Version) -> None:
    if version.review.status is not ReviewStatus.APPROVED:
        raise FailedPrecondition(f"version {version.number} has not been approved", reason="VERSION_NOT_APPROVED")


def illegal_transition(what: str, status: str, to: str) -> FailedPrecondition:
    """The one refusal of moves that the tables do not have; programs find both states in the metadata."""
    return FailedPrecondition(
        f"{what} is {status} and cannot become {to}", reason="ILLEGAL_TRANSITION", metadata={"from": status, "to": to}
    )


def _without_review(runbook: Runbook, others_wait: bool, at: datetime) -> Runbook:
    """Answers the runbook once one of its versions waits no more."""
    ends = runbook.status is PENDING_REVIEW and not others_wait
    return runbook.changed(at, status=DRAFT if ends else runbook.status)


def _require_digest(version: Version, digest: str) -> None:
    if digest != version.digest:
        raise Aborted("that is not the digest of this version; read it again", reason="DIGEST_MISMATCH")


def _require_other_eyes(runbook: Runbook, version: Version, by: UUID) -> None:
    if by in {runbook.created_by, version.created_by, version.review.submitted_by}:
        raise PermissionDenied(
            "somebody else must review this: you created the runbook, or wrote or submitted the version",
            reason="SELF_APPROVAL",
            team_id=runbook.team_id,
        )


def _check_move(version: Version, to: ReviewStatus) -> None:
    status = version.review.status
    if to not in REVIEW_MOVES[status]:
        raise illegal_transition(f"version {version.number}", status, to)
