"""Protocols that are wrong in one step each; the search must find a way to an answer after the acknowledgement."""

from __future__ import annotations

from tests.unit.server.confirmation.moves import Rules
from tests.unit.server.confirmation.world import LEASE, Fill, Gateway, Phase, Renewal, Row, World


class ConfirmsBeforeItGoesByTheChange(Rules):
    """The floor or the tombstone stands only once the confirmation was answered."""

    def hear(self, gateway: Gateway, change: int) -> Gateway:
        return gateway._replace(heard=(*gateway.heard, change))

    def confirmed(self, gateway: Gateway) -> Gateway:
        return gateway._replace(goes_by=2)


class AcknowledgesWithoutWaiting(Rules):
    def may_answer(self, rows: tuple[Row, ...], change: int) -> bool:
        return True


class ARepeatAnswersAtOnce(Rules):
    """What was done the first time is not done again, and so not waited for either."""

    most_changes = 2

    def repeat(self, world: World) -> World:
        return world._replace(phase=Phase.ANSWERED)


class CountsTheLeaseFromTheReply(Rules):
    def patience(self, renewal: Renewal) -> int:
        return LEASE


class EndsTheRowBeforeTheLease(Rules):
    lasts = LEASE - 1


class DeletesTheTombstone(Rules):
    """What was confirmed is taken for done: an answer on its way brings it back."""

    def confirmed(self, gateway: Gateway) -> Gateway:
        return gateway._replace(goes_by=0)


class KeepsWhateverArrives(Rules):
    """A fill in flight overwrites what the change has raised, as where admissions are kept without looking."""

    def arrived(self, gateway: Gateway, fill: Fill) -> Gateway:
        kept = super().arrived(gateway, fill)
        return kept if kept is not gateway or not fill.current else gateway._replace(kept=fill.version, goes_by=0)


class CountsWhatAnOlderStreamAskedFor(Rules):
    def arrived(self, gateway: Gateway, fill: Fill) -> Gateway:
        return super().arrived(gateway, fill._replace(current=True))


class TrustsWhatWasKeptBeforeTheStream(Rules):
    def opened(self, gateway: Gateway) -> Gateway:
        return super().opened(gateway)._replace(kept=gateway.kept)


class OpensWhileAChangeCommits(Rules):
    locks_the_opening = False


class RenewsWhatHasEnded(Rules):
    """Whoever waited saw the row end, and the renewal brings it back."""

    def renew(self, row: Row) -> bool:
        return True


MUTANTS = (
    ConfirmsBeforeItGoesByTheChange,
    AcknowledgesWithoutWaiting,
    ARepeatAnswersAtOnce,
    CountsTheLeaseFromTheReply,
    EndsTheRowBeforeTheLease,
    DeletesTheTombstone,
    KeepsWhateverArrives,
    CountsWhatAnOlderStreamAskedFor,
    TrustsWhatWasKeptBeforeTheStream,
    OpensWhileAChangeCommits,
    RenewsWhatHasEnded,
)
