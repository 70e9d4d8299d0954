"""Protocols that are wrong in one place each. A search that lets one of them pass proves nothing."""

from __future__ import annotations

from collections.abc import Sequence

from kernel.execution.status import CANCELLED, PENDING, RUNNING, AttemptOutcome, after_attempt
from tests.unit.kernel.protocol.rows import Appended, Row, Rules


class ClaimsWithoutTheStatus(Rules):
    def claim(self, row: Row) -> Row | None:
        return self.claimed(row)


class ClaimsWithoutRaisingTheEpoch(Rules):
    def claimed(self, row: Row) -> Row:
        return super().claimed(row)._replace(epoch=1)


class ClaimsOutOfTurn(Rules):
    def is_turn(self, rows: Sequence[Row], index: int) -> bool:
        return True


class RenewsWithoutTheStatus(Rules):
    def renew(self, row: Row, epoch: int) -> Row | None:
        return row._replace(lease=self.lease) if row.epoch == epoch else None


class AppendsWithoutTheEpoch(Rules):
    def append(self, row: Row, epoch: int, sequence: int) -> Appended | None:
        return self.appended(row, epoch, sequence) if row.status is RUNNING else None


class AppendsWithoutTheStatus(Rules):
    def append(self, row: Row, epoch: int, sequence: int) -> Appended | None:
        return self.appended(row, epoch, sequence) if row.epoch == epoch else None


class FinishesWithoutTheFence(Rules):
    def finish(self, row: Row, epoch: int, outcome: AttemptOutcome) -> Row | None:
        return self.end_attempt(row, outcome) if row.status is RUNNING else None


class ExpiresWithoutRegardToTheLease(Rules):
    def expire(self, row: Row) -> Row | None:
        return self.end_attempt(row, AttemptOutcome(CANCELLED)) if row.status is RUNNING else None


class NeverExpires(Rules):
    def expire(self, row: Row) -> Row | None:
        return None


class NeverRingsAgain(Rules):
    def needs_ring(self, rows: Sequence[Row], index: int) -> bool:
        return False


class KillsAfterTheLease(Rules):
    margin = -1


class KillsAtTheEndOfTheLease(Rules):
    """Without a margin, the sweep and the executor act in the same moment."""

    margin = 0


class RetriesAfterCancel(Rules):
    def end_attempt(self, row: Row, outcome: AttemptOutcome) -> Row:
        status = after_attempt(outcome, attempt=row.attempt, max_attempts=row.max_attempts, cancel_requested=False)
        return row._replace(status=status, lease=0, log=(*row.log, status.value))

    def claim(self, row: Row) -> Row | None:
        return self.claimed(row) if row.status is PENDING else None


class RetriesForEver(Rules):
    def end_attempt(self, row: Row, outcome: AttemptOutcome) -> Row:
        return super().end_attempt(row._replace(max_attempts=9), outcome)._replace(max_attempts=row.max_attempts)


class CancelsWhatRuns(Rules):
    def cancel(self, row: Row) -> Row | None:
        cancelled = super().cancel(row._replace(status=PENDING)) if row.status is RUNNING else None
        return cancelled and cancelled._replace(lease=0)


MUTANTS: dict[type[Rules], str] = {
    ClaimsWithoutTheStatus: "an ended execution changed|RUNNING|PostgreSQL has given up",
    ClaimsWithoutRaisingTheEpoch: "did not write|given up|two scripts|kept",
    ClaimsOutOfTurn: "beside an earlier one",
    RenewsWithoutTheStatus: "an ended execution changed|given up",
    AppendsWithoutTheEpoch: "holds something else|did not write",
    AppendsWithoutTheStatus: "an ended execution changed|no number|did not write|holds something else",
    FinishesWithoutTheFence: "given up",
    ExpiresWithoutRegardToTheLease: "its script is alive|given up",
    NeverExpires: "nothing leads to an end",
    NeverRingsAgain: "nothing leads to an end",
    KillsAfterTheLease: "given up|two scripts",
    KillsAtTheEndOfTheLease: "given up|two scripts",
    RetriesAfterCancel: "after somebody asked to cancel",
    RetriesForEver: "more attempts than allowed",
    CancelsWhatRuns: "its script is alive|given up",
}
"""Each with what the search must say of it, as a regular expression."""
