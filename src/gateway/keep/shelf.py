"""All that is kept in memory, and whether it may be shown now; nothing here waits, so nothing changes in between."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway import refusal
from gateway.asked import Client
from gateway.keep.accesses import Accesses, AccessKey
from gateway.keep.admission import Admission, Admissions
from gateway.keep.change import leaves_the_rest, takes_away
from gateway.keep.clock import Clock, Instant
from gateway.keep.contents import AudienceKey, Content, Contents
from gateway.keep.floors import Floors
from gateway.keep.grants import Grants
from gateway.keep.lease import Lease
from gateway.keep.tombstones import Tombstones
from gateway.refusal import Refusal
from gateway.shown import Shown
from oncall.v1.partner_service_pb2 import StatusPageChange


class Shelf:
    """What was said of admissions and contents, and what has ended since."""

    def __init__(self, clock: Clock, lease: Lease, *, contents_limit: int, clients_limit: int) -> None:
        self._clock = clock
        self.lease = lease
        self.admissions = Admissions(clients_limit)
        self.contents = Contents(contents_limit)
        self.floors = Floors()
        self.tombstones = Tombstones()
        self.grants = Grants()
        self.accesses = Accesses(clock)

    def fresh(self, client: Client, *, background: bool, asks: bool = True) -> Shown | None:
        """Answers from what is kept; unset where the server has to be asked, which `asks` says that the caller does."""
        at = self._clock.instant()
        admission = self._standing(client, at)
        content = self._current(admission, at) if admission else None
        if admission is None or content is None:
            return None
        if not background and self.grants.of(content.audience).renews(at.elapsed, asks=asks):
            return None
        return self.hand_out(admission, content, client, at, background=background)

    def awaited_audience(self, client: Client) -> AudienceKey | None:
        """Answers whose content a client lacks who is admitted; unset where the client has to be admitted first."""
        at = self._clock.instant()
        admission = self._standing(client, at)
        return admission.audience if admission and self._current(admission, at) is None else None

    def hand_out(
        self, admission: Admission, content: Content, client: Client, at: Instant, *, background: bool
    ) -> Shown | None:
        """Answers without asking, and counts it; unset where the grant, or the room to count in, is used up."""
        allowance = self.grants.of(content.audience)
        if not background:
            if not allowance.take(at.elapsed) or not self._count(admission, client):
                return None
            allowance.answered(at.elapsed)
        return Shown(content.shown, content.tag, None, allowance.left(at.elapsed), content.renderings)

    def stale(self, client: Client, *, background: bool) -> Shown:
        """Answers the last page this client was allowed to see, while nobody can be asked; raises a Refusal."""
        admission, at = self.admissions.get(client), self._clock.instant()
        if admission is None:
            raise refusal.unavailable()
        if refused := self.tombstones.refusal_of(admission) or _expired(admission, at):
            raise refused
        taken = self.floors.of(admission.page_id).taken
        content = self.contents.get(admission.audience)
        if not self.tombstones.believes(admission) or admission.page_version < taken:
            raise refusal.unavailable()
        if content is None or content.page_version < taken:
            raise refusal.unavailable()
        if not background:
            self.count(admission, client)
        left = self.grants.of(content.audience).left(at.elapsed)
        return Shown(content.shown, content.tag, self._held_at(content), left, content.renderings)

    def count(self, admission: Admission, client: Client) -> None:
        """Counts an answer that is given at any rate; where there is no room, the log tells how many were not."""
        if not self._count(admission, client):
            self.accesses.lose()

    def store(self, client: Client, admission: Admission, content: Content) -> None:
        """Keeps an answer, unless what is kept is newer."""
        self.admissions.put(client, admission)
        kept = self.contents.get(content.audience)
        if not kept or (kept.epoch, kept.page_version) <= (content.epoch, content.page_version):
            self.contents.put(content.audience, content)

    def change(self, change: StatusPageChange, ended_credentials: Sequence[str] = ()) -> list[str]:
        """Goes by a change from now on; answers the pages of which nothing is kept any more.

        `ended_credentials` are those of the sessions that it ends, in hexadecimal.
        """
        now, page_id = self._clock.now(), change.status_page_id
        for identity in (*change.revoked_partner_ids, *change.ended_token_ids, *ended_credentials):
            self.tombstones.end(identity, now)
        if change.page_token_ended:
            self.tombstones.end_page_token(page_id, change.page_version, now)
        if leaves_the_rest(change):
            return []
        forgotten = self.floors.raise_to(page_id, change.page_version, taken=takes_away(change))
        for page in forgotten:
            self.admissions.drop_page(page)
            for audience in [kept for kept in self.contents if kept.page_id == page]:
                self.contents.drop(audience)
        return forgotten

    def recheck_seconds(self, client: Client) -> float:
        """Answers after how long what is kept for a client ends by itself."""
        admission = self.admissions.get(client)
        content = self.contents.get(admission.audience) if admission else None
        if admission is None or content is None:
            return 1.0
        now = self._clock.now()
        ends = min(admission.admitted_until, content.expires_at)
        return min((ends - now).total_seconds(), admission.elapsed_until - self._clock.elapsed())

    def _standing(self, client: Client, at: Instant) -> Admission | None:
        """Answers the admission, where it may be repeated now."""
        admission = self.admissions.get(client)
        if admission is None or not self.lease.holds_at(at.elapsed) or admission.epoch != self.lease.epoch:
            return None
        if at.now >= admission.repeated_until or at.elapsed >= admission.elapsed_until:
            return None
        if admission.page_version < self.floors.of(admission.page_id).taken:
            return None
        return admission if self.tombstones.believes(admission) else None

    def _current(self, admission: Admission, at: Instant) -> Content | None:
        content = self.contents.get(admission.audience)
        if content is None or content.epoch != self.lease.epoch or at.now >= content.expires_at:
            return None
        return content if content.page_version >= self.floors.of(admission.page_id).fresh else None

    def _held_at(self, content: Content) -> datetime:
        """Answers until when the content is known to have held: while the watch told of no change, it did."""
        floor, watched = self.floors.of(content.audience.page_id), self.lease.held_at
        if watched is None or content.epoch != self.lease.epoch or content.page_version < floor.fresh:
            return content.held_at
        return max(content.held_at, min(watched, content.expires_at))

    def _count(self, admission: Admission, client: Client) -> bool:
        if not admission.partner_id:
            return True  # nobody in particular
        return self.accesses.count(
            AccessKey(
                admission.partner_id, admission.token_id, admission.token_prefix, client.client_ip, client.user_agent
            )
        )


def _expired(admission: Admission, at: Instant) -> Refusal | None:
    ended = admission.ends_at is not None and at.now >= admission.ends_at
    return refusal.forbidden("PARTNER_EXPIRED") if ended else None
