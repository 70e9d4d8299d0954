"""Asks the server for what is not kept, and keeps what it says unless that has been overtaken meanwhile."""

from __future__ import annotations

import asyncio
import math
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gateway.asked import Asked, Client, CredentialKind
from gateway.keep.admission import LONGEST_SECONDS, Admission
from gateway.keep.calls import PartnerCalls, ServerAway
from gateway.keep.clock import Clock
from gateway.keep.contents import AudienceKey, Content, content_of
from gateway.keep.disk import Disk
from gateway.keep.shelf import Shelf
from gateway.refusal import Refusal
from gateway.server_client import CALL_SECONDS
from oncall.v1.partner_service_pb2 import GetStatusPageRequest, GetStatusPageResponse

ATTEMPTS = 4
"""How often an answer may be overtaken by changes before one is given, but not kept, that was true when asked for.

Also how often it may be older than what was known before it was asked for; then the server counts as away.
"""
MOST_ATTEMPTS = 16
"""How often one may be overtaken by changes that take something away; then the server counts as away, too."""
HELD_CALL_SECONDS = 2.0
"""How long the server has where there is something to show instead."""
BACKGROUND_CALLS = 50


@dataclass(frozen=True, slots=True)
class Filled:
    """What came of asking for `client`: an admission with its content, a refusal, or neither: the server is away.

    `counted`: the server has counted the access of who asked, since there was no room to count it here.
    """

    client: bytes
    admission: Admission | None = None
    content: Content | None = None
    refused: Refusal | None = None
    counted: bool = False


@dataclass(frozen=True, slots=True)
class _Moment:
    """How things stood when the server was asked: an answer is no newer than that.

    `floor` is that of the page, where it was known of which page the answer would be; else beyond all.
    """

    epoch: int
    generation: int
    floor: float
    elapsed: float
    now: datetime


class Filler:
    """Fills the shelf, and the disk behind it."""

    def __init__(self, calls: PartnerCalls, shelf: Shelf, disk: Disk | None, clock: Clock) -> None:
        self._calls = calls
        self._shelf = shelf
        self._disk = disk
        self._clock = clock
        self._in_background = asyncio.Semaphore(BACKGROUND_CALLS)

    async def fill(self, client: Client, asked: Asked, waiting: int, *, background: bool) -> Filled:
        """Asks, and asks again where a change has overtaken the answer; the repeats are neither counted nor limited."""
        known = await self._recall(client)
        counts_here = background or self._shelf.accesses.has_room()
        page_id, repeat = known.audience.page_id if known else "", False
        for attempt in range(1, MOST_ATTEMPTS + 1):
            moment = self._moment(page_id)
            request = message(asked)
            request.known_content_tag = known.tag if known else ""
            request.background = background or repeat
            request.wanted_grant = 0 if request.background else self._wanted(client, waiting)
            request.counted_by_gateway = counts_here
            try:
                answer = await self._ask(request, HELD_CALL_SECONDS if known else CALL_SECONDS)
            except ServerAway:
                break
            except Refusal as refused:
                await self._refused(client, refused)
                return Filled(client.digest, refused=refused)
            if not request.background:
                self._grant(answer, known, moment)
            filled = self._take(client, asked, answer, known, moment, patient=attempt < ATTEMPTS)
            if filled is not None:
                return filled if counts_here else replace(filled, counted=True)
            if attempt >= ATTEMPTS and answer.page_version < moment.floor:
                break
            page_id = _page_id(answer, known) or page_id
            known = known if known and known.audience.partner_id == answer.audience.partner_id else None
            repeat = True
        return Filled(client.digest)

    async def _ask(self, request: GetStatusPageRequest, seconds: float) -> GetStatusPageResponse:
        async with self._in_background if request.background else nullcontext():
            return await self._calls.show(request, seconds)

    def _take(
        self,
        client: Client,
        asked: Asked,
        answer: GetStatusPageResponse,
        known: Content | None,
        moment: _Moment,
        *,
        patient: bool,
    ) -> Filled | None:
        """Keeps an answer; unset where it has been overtaken. Nothing waits here: what is checked holds when kept.

        Not `patient`, it also answers what was overtaken by changes that took nothing away: it was true at some moment
        since it was asked for, and with it since whoever is answered came.
        """
        shelf = self._shelf
        page_id = _page_id(answer, known)
        if not page_id or moment.generation != shelf.floors.generation:
            return None
        floor = shelf.floors.of(page_id)
        is_overtaken = answer.page_version < floor.fresh
        if is_overtaken and (patient or answer.page_version < max(floor.taken, moment.floor)):
            return None
        content = content_of(answer, known, held_at=moment.now, epoch=moment.epoch)
        admission = self._admission(client, asked, answer, page_id, moment)
        if refused := shelf.tombstones.refusal_of(admission):
            return Filled(client.digest, refused=refused)
        if not shelf.tombstones.believes(admission):
            return None
        if not is_overtaken:
            self._keep(client, admission, content)
        return Filled(client.digest, admission, content)

    def _keep(self, client: Client, admission: Admission, content: Content) -> None:
        self._shelf.store(client, admission, content)
        if self._disk:
            self._disk.keep(client, admission, content)

    def _admission(
        self, client: Client, asked: Asked, answer: GetStatusPageResponse, page_id: str, moment: _Moment
    ) -> Admission:
        audience = answer.audience
        ends_at = answer.access_ends_at.ToDatetime(UTC) if answer.HasField("access_ends_at") else None
        return Admission(
            credential=client.credential,
            page_id=page_id,
            partner_id=audience.partner_id,
            token_id=audience.token_id,
            token_prefix=audience.token_prefix,
            by_page_token=not audience.partner_id and asked.credential.kind is not CredentialKind.NONE,
            page_version=answer.page_version,
            asked_at=moment.now,
            admitted_until=answer.admitted_until.ToDatetime(UTC),
            ends_at=ends_at,
            epoch=moment.epoch,
            elapsed_until=moment.elapsed + LONGEST_SECONDS,
        )

    async def _recall(self, client: Client) -> Content | None:
        """Answers what is known of the client's page, if need be from the disk, from where nothing is fresh."""
        shelf = self._shelf
        admission = shelf.admissions.get(client)
        if admission is None and self._disk and (admission := await self._disk.admission(client)):
            shelf.admissions.put(client, admission)
        if admission is None:
            return None
        audience = admission.audience
        content = shelf.contents.get(audience)
        if content is None and self._disk and (content := await self._disk.content(audience)):
            content = shelf.contents.get(audience) or content
            shelf.contents.put(audience, content)
        return content

    async def _refused(self, client: Client, refused: Refusal) -> None:
        """Lets go of what the server says no to, so that it is not shown as stale either."""
        if refused.status not in (401, 403, 404):
            return
        shelf, disk = self._shelf, self._disk
        if refused.reason == "IP_NOT_ALLOWED":
            shelf.admissions.drop(client)
            if disk:
                await disk.forget_client(client)
            return
        if refused.reason == "PARTNER_REVOKED":
            for token_id in {kept.token_id for kept in shelf.admissions.of_credential(client) if kept.token_id}:
                shelf.tombstones.end(token_id, self._clock.now())
                if disk:
                    await disk.end_token(token_id, self._clock.now())
        shelf.admissions.drop_credential(client)
        if disk:
            await disk.forget_credential(client)

    def _grant(self, answer: GetStatusPageResponse, known: Content | None, moment: _Moment) -> None:
        if page_id := _page_id(answer, known):
            audience = AudienceKey(page_id, answer.audience.partner_id)
            allowance = self._shelf.grants.of(audience)
            allowance.given(answer, moment.elapsed)
            allowance.answered(self._clock.elapsed())

    def _wanted(self, client: Client, waiting: int) -> int:
        admission = self._shelf.admissions.get(client)
        if admission is None:
            return waiting
        return self._shelf.grants.of(admission.audience).wanted(waiting, self._clock.elapsed())

    def _moment(self, page_id: str) -> _Moment:
        shelf, floors = self._shelf, self._shelf.floors
        floor = floors.of(page_id).fresh if page_id else math.inf
        return _Moment(shelf.lease.epoch, floors.generation, floor, self._clock.elapsed(), self._clock.now())


def message(asked: Asked) -> GetStatusPageRequest:
    request = GetStatusPageRequest(slug=asked.slug, client_ip=asked.client_ip, user_agent=asked.user_agent)
    if asked.credential.kind is not CredentialKind.NONE:
        setattr(request, asked.credential.kind.value, asked.credential.value)
    return request


def _page_id(answer: GetStatusPageResponse, known: Content | None) -> str:
    """Answers the page; empty where the answer leaves out a content that is not the one that is known."""
    if not answer.unchanged:
        return answer.status_page.id
    same = known is not None and known.audience.partner_id == answer.audience.partner_id
    return known.audience.page_id if known and same and known.tag == answer.content_tag else ""
