"""Those who take access away, through either server, and note when it was acknowledged."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration

from oncall.v1 import partner_service_pb2 as pb
from oncall.v1 import status_page_service_pb2 as pages_pb
from oncall.v1.partner_pb2 import Partner as PartnerPb
from oncall.v1.status_page_pb2 import COMPONENT_STATUS_DEGRADED_PERFORMANCE, StatusPage
from tests.status_pages import PRIVATE, PUBLIC, StatusPageDesk
from tests.storm.clients import SOURCES, Crowd, probe
from tests.storm.history import Change, History
from tests.storm.http import Connection, Unanswered, Unreachable
from tests.storm.readers import Page, Partner, Pass, Seen, Terms
from tests.storm.site import GATEWAYS

T = TypeVar("T")

COMPONENTS = 4
CALL_SECONDS = 20.0
AGAIN_SECONDS = 0.1
PATIENCE_SECONDS = 60.0
CLOCK_SECONDS = 0.05
"""How far the time of day and the clock of this process may drift from each other within a run."""
NOWHERE = ("10.255.255.1",)
LIMIT = 3_000

_numbers = count(1)


class NeverAcknowledged(Exception):
    """A change was not acknowledged however often it was asked for."""


@dataclass(slots=True)
class Office:
    """What administrators share."""

    desks: dict[str, StatusPageDesk]
    crowd: Crowd
    dice: random.Random
    pages: list[Page]
    partners: list[Partner]
    acknowledged: Counter[str]
    made: list[str] = field(default_factory=list)
    """The ids of all partners that were ever made, revoked ones too."""
    unconfirmed: int = 0
    """Calls that had to be repeated, because the server went away or could not tell whether all gateways confirmed."""
    longest_seconds: float = 0.0

    async def insist(self, server: str, call: Callable[[StatusPageDesk], Awaitable[T]]) -> T:
        """Calls one server, and any of them again until it acknowledges."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        desk, began = self.desks[server], time.monotonic()
        while True:
            try:
                answer = await call(desk)
            except grpc.aio.AioRpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                    raise
                if time.monotonic() > deadline:
                    raise NeverAcknowledged(error.details()) from None
                self.unconfirmed += 1
                await asyncio.sleep(AGAIN_SECONDS)
                desk = self.dice.choice(list(self.desks.values()))
            else:
                self.longest_seconds = max(self.longest_seconds, time.monotonic() - began)
                return answer

    def some_server(self) -> str:
        return self.dice.choice(list(self.desks))

    @contextmanager
    def changing(self, history: History[T], value: T, what: str) -> Any:
        """The call that makes a change is within; it is acknowledged where the block ends without an error."""
        change: Change[T] = history.begin(value, time.monotonic())
        yield change
        change.acknowledged = time.monotonic()
        self.acknowledged[what] += 1

    async def a_page(self, number: int) -> Page:
        """Makes a page whose components, an incident and a maintenance have names that are told nowhere else."""
        desk = self.desks[self.some_server()]
        made = await desk.a_page(slug=f"storm-{number}", name=f"Storm {number}")
        lasting = []
        for index in range(COMPONENTS):
            name = f"Zx{number:02}c{index:03}q"
            lasting.append(((await desk.a_component(made, name)).id, name))
        for component_id, name in lasting[:1]:
            impacts = {component_id: COMPONENT_STATUS_DEGRADED_PERFORMANCE}
            await desk.an_incident(made, impacts, title=f"Slow {name}")
        await desk.a_maintenance(made, lasting[1][0])
        seen = frozenset(name for _, name in lasting)
        page = Page(made.id, made.slug, History(seen), History(True), tuple(lasting))
        self.pages.append(page)
        self.crowd.live.append(Pass(page, page.private))
        await self.rotate_page_token(page)
        return page

    async def a_partner(self, page: Page, *, limited: bool = False) -> Partner:
        """Makes a partner who reads with a token in either place, and with a session."""
        scope = self._a_scope(page)
        made = PartnerPb(status_page_id=page.id, component_ids=self._ids(page, scope))
        if limited:
            made.requests_per_minute = LIMIT

        async def create(desk: StatusPageDesk) -> pb.CreatePartnerResponse:
            made.name = f"Partner {next(_numbers)}"  # a new one each time: who has no token could not read
            request = pb.CreatePartnerRequest(partner=made)
            return await desk.partners.CreatePartner(request, metadata=_metadata(desk), timeout=CALL_SECONDS)

        answer = await self.insist(self.some_server(), create)
        partner = Partner(answer.partner.id, page, History(Terms(scope)), limited)
        await self._give(partner, answer.token, answer.partner.token_prefix)
        self.made.append(partner.id)
        self.partners.append(partner)
        return partner

    async def change_something(self) -> None:
        """Makes one change, and asks with what it ended at every gateway as soon as it is acknowledged."""
        page = self.dice.choice(self.pages)
        if self.dice.random() < 0.12 and not page.busy:
            page.busy = True
            try:
                await self.dice.choice((self.rotate_page_token, self.turn_visibility, self.swap_component))(page)
            finally:
                page.busy = False
            return
        idle = [partner for partner in self.partners if not partner.busy]
        if not idle:
            await asyncio.sleep(AGAIN_SECONDS)
            return
        partner = self.dice.choice(idle)
        kinds = (self.revoke, self.rotate, self.rotate_with_grace, self.rescope, self.close_out, self.let_expire)
        partner.busy = True
        try:
            await self.dice.choices(kinds, weights=(55, 15, 6, 16, 4, 4))[0](partner)
        finally:
            partner.busy = False

    async def revoke(self, partner: Partner, server: str = "") -> None:
        self.partners.remove(partner)
        terms = replace(partner.terms.newest, ended=True)
        request = pb.RevokePartnerRequest(partner_id=partner.id)
        with self.changing(partner.terms, terms, "revoked"):
            await self.insist(
                server or self.some_server(),
                lambda desk: desk.partners.RevokePartner(request, metadata=_metadata(desk), timeout=CALL_SECONDS),
            )
        ended, partner.passes = partner.passes, []
        await self._see_them_out(ended)
        await self.a_partner(partner.page, limited=partner.limited)

    async def rotate(self, partner: Partner) -> None:
        """Gives a new token; the old one ends at once, and with it the session that was made of it."""
        ended, partner.passes = partner.passes, []
        change = ended[0].ended.begin(True, time.monotonic())
        answer = await self._rotate(partner, 0.0)
        change.acknowledged = time.monotonic()
        self.acknowledged["rotated"] += 1
        await self._see_them_out(ended)
        await self._give_or_replace(partner, answer)

    async def rotate_with_grace(self, partner: Partner) -> None:
        """Gives a new token; the old one ends by itself soon after."""
        old, partner.passes = partner.passes, []
        change = old[0].ended.begin(True, time.monotonic())  # until it is known when
        answer = await self._rotate(partner, self.dice.uniform(0.2, 1.0))
        if not answer.token:
            await self.revoke_instead(partner, old)
            return
        ends = _elapsed(answer.old_token.expires_at.ToDatetime(UTC))
        change.begun, change.acknowledged = ends - CLOCK_SECONDS, ends + CLOCK_SECONDS
        self.acknowledged["rotated with grace"] += 1
        await self._give_or_replace(partner, answer)
        await asyncio.sleep(max(0.0, ends + CLOCK_SECONDS - time.monotonic()))
        await self._see_them_out(old)

    async def rescope(self, partner: Partner) -> None:
        scope = self._a_scope(partner.page)
        ids = self._ids(partner.page, scope)
        with self.changing(partner.terms, replace(partner.terms.newest, scope=scope), "re-scoped"):
            await self._update(partner, "component_ids", component_ids=ids)
        await asyncio.gather(*(probe(self.crowd, some, list(GATEWAYS), self.dice) for some in partner.passes[:1]))

    async def close_out(self, partner: Partner) -> None:
        """Lets a partner come from one of the addresses only, or from none, and then from anywhere again."""
        sources = (self.dice.choice(SOURCES),) if self.dice.random() < 0.6 else NOWHERE
        before = partner.terms.newest
        with self.changing(partner.terms, replace(before, sources=frozenset(sources)), "closed out"):
            await self._update(partner, "ip_allowlist", ip_allowlist=sources)
        await asyncio.gather(*(probe(self.crowd, some, list(GATEWAYS), self.dice) for some in partner.passes))
        with self.changing(partner.terms, before, "let in again"):
            await self._update(partner, "ip_allowlist", ip_allowlist=[])

    async def let_expire(self, partner: Partner) -> None:
        """Lets a partner's access end by itself, and then gives it back."""
        before, at = partner.terms.newest, datetime.now(UTC) + timedelta(seconds=self.dice.uniform(0.3, 1.0))
        ends = _elapsed(at)
        change = partner.terms.begin(replace(before, ended=True), ends - CLOCK_SECONDS)
        try:
            await self._update(partner, "expires_at", expires_at=at)
        except grpc.aio.AioRpcError as error:  # it came too late: that is a time in the past
            if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
                raise
        else:
            change.acknowledged = max(time.monotonic(), ends + CLOCK_SECONDS)
            await asyncio.sleep(max(0.0, change.acknowledged - time.monotonic()))
            self.acknowledged["expired"] += 1
            await asyncio.gather(*(probe(self.crowd, some, list(GATEWAYS), self.dice) for some in partner.passes))
        with self.changing(partner.terms, before, "prolonged"):
            await self._update(partner, "expires_at")

    async def rotate_page_token(self, page: Page) -> None:
        """Gives a page a new token of its own; the old one ends at once."""
        old = [some for some in self.crowd.live if some.page is page and some.query and some.partner is None]
        changes = [some.ended.begin(True, time.monotonic()) for some in old]

        async def rotate(desk: StatusPageDesk) -> pages_pb.RotatePageTokenResponse:
            request = pages_pb.RotatePageTokenRequest(status_page_id=page.id)
            return await desk.pages.RotatePageToken(request, metadata=_metadata(desk), timeout=CALL_SECONDS)

        answer = await self.insist(self.some_server(), rotate)
        for change in changes:
            change.acknowledged = time.monotonic()
        self.acknowledged["page token rotated"] += bool(old)
        await self._see_them_out(old)
        self.crowd.live.append(Pass(page, History(False), query=f"?token={answer.token}"))

    async def turn_visibility(self, page: Page) -> None:
        """Makes a private page public, and private again."""
        for private, what in ((False, "made public"), (True, "made private")):
            changed = StatusPage(id=page.id, visibility=PRIVATE if private else PUBLIC)
            request = pages_pb.UpdateStatusPageRequest(status_page=changed)
            request.update_mask.paths.append("visibility")
            with self.changing(page.private, private, what):
                await self.insist(
                    self.some_server(),
                    lambda desk, request=request: desk.pages.UpdateStatusPage(  # type: ignore[misc]
                        request, metadata=_metadata(desk), timeout=CALL_SECONDS
                    ),
                )
            await probe(self.crowd, Pass(page, page.private), list(GATEWAYS), self.dice)

    async def swap_component(self, page: Page) -> None:
        """Puts a component on a page and takes it off again."""
        number = int(page.slug.rpartition("-")[2])
        name = f"Zx{number:02}c{100 + next(_numbers) % 900:03}q"
        before = page.components.newest
        page.components.begin(before | {name}, time.monotonic())  # nobody promises when it can be seen
        creation = pages_pb.CreateComponentRequest(request_id=name)
        creation.component.status_page_id, creation.component.name = page.id, name
        made = await self.insist(
            self.some_server(),
            lambda desk: desk.pages.CreateComponent(creation, metadata=_metadata(desk), timeout=CALL_SECONDS),
        )

        async def delete(desk: StatusPageDesk) -> None:
            request = pages_pb.DeleteComponentRequest(component_id=made.component.id)
            try:
                await desk.pages.DeleteComponent(request, metadata=_metadata(desk), timeout=CALL_SECONDS)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:
                    raise

        with self.changing(page.components, before, "component removed"):
            await self.insist(self.some_server(), delete)
        readers = [some for some in self.crowd.live if some.page is page]
        await probe(self.crowd, self.dice.choice(readers), list(GATEWAYS), self.dice)

    async def revoke_instead(self, partner: Partner, old: list[Pass]) -> None:
        """Ends a partner whose new token was lost with the answer that told it."""
        partner.passes = old
        await self.revoke(partner)

    async def _give_or_replace(self, partner: Partner, answer: pb.RotatePartnerTokenResponse) -> None:
        if answer.token:
            await self._give(partner, answer.token, answer.partner.token_prefix)
        else:
            await self.revoke(partner)

    async def _rotate(self, partner: Partner, grace_seconds: float) -> pb.RotatePartnerTokenResponse:
        request = pb.RotatePartnerTokenRequest(partner_id=partner.id, request_id=f"rotation-{next(_numbers)}")
        request.grace_period.CopyFrom(Duration(nanos=int(grace_seconds * 1e9) % 10**9, seconds=int(grace_seconds)))
        return await self.insist(
            self.some_server(),
            lambda desk: desk.partners.RotatePartnerToken(request, metadata=_metadata(desk), timeout=CALL_SECONDS),
        )

    async def _update(self, partner: Partner, path: str, **fields: Any) -> None:
        request = pb.UpdatePartnerRequest(partner=PartnerPb(id=partner.id, **fields))
        request.update_mask.paths.append(path)
        await self.insist(
            self.some_server(),
            lambda desk: desk.partners.UpdatePartner(request, metadata=_metadata(desk), timeout=CALL_SECONDS),
        )

    async def _give(self, partner: Partner, token: str, prefix: str) -> None:
        """Hands a partner their token, to be shown in two of the ways there are."""
        ended = History(False)
        page = partner.page
        passes = [Pass(page, ended, partner, prefix, headers=f"authorization: Bearer {token}\r\n")]
        session = await self._a_session(page, token) if self.dice.random() < 0.5 else ""
        if session:
            passes.append(Pass(page, ended, partner, prefix, headers=f"cookie: {session}\r\n"))
        else:
            passes.append(Pass(page, ended, partner, prefix, query=f"?token={token}"))
        partner.passes += passes
        self.crowd.live += passes

    async def _a_session(self, page: Page, token: str) -> str:
        """Signs in, and answers the cookie; empty where the gateway or its server was just away."""
        gateway = self.dice.choice(GATEWAYS)
        connection = Connection(self.crowd.addresses[gateway], SOURCES[0])
        try:
            answer = await connection.post(f"/status/{page.slug}/session", f"token={token}")
        except (Unanswered, Unreachable):
            return ""
        finally:
            connection.close()
        return answer.headers.get(b"set-cookie", b"").decode().partition(";")[0] if answer.status == 303 else ""

    async def _see_them_out(self, ended: list[Pass]) -> None:
        """Asks once more with every pass that has ended, at every gateway, and waits for its streams to end."""
        for some in ended:
            self.crowd.live.remove(some)
            self.crowd.ended.append(some)
        await asyncio.gather(
            *(probe(self.crowd, some, list(GATEWAYS), self.dice) for some in ended),
            *(self.crowd.require_cut(some) for some in ended),
        )

    def _a_scope(self, page: Page) -> Seen | None:
        if self.dice.random() < 0.3:
            return None
        names = [name for _, name in page.lasting]
        return frozenset(self.dice.sample(names, self.dice.randint(1, len(names) - 1)))

    def _ids(self, page: Page, scope: Seen | None) -> list[str]:
        return [component_id for component_id, name in page.lasting if scope is not None and name in scope]


def _metadata(desk: StatusPageDesk) -> Any:
    return desk.team.author.metadata


def _elapsed(at: datetime) -> float:
    """Answers a time of day by the clock of this process."""
    return at.timestamp() - time.time() + time.monotonic()
