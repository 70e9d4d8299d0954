"""One run from its beginning to its verdict."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import grpc
import uvloop

from kernel.database import Sessions, create_engine, sessions
from oncall.v1 import partner_service_pb2 as pb
from tests.builders import a_person, a_team
from tests.status_pages import StatusPageDesk
from tests.storm.administrators import NeverAcknowledged, Office
from tests.storm.blows import Striker
from tests.storm.clients import SOURCES, Crowd
from tests.storm.ledger import Ledger
from tests.storm.outcome import Outcome
from tests.storm.plan import Size, blows
from tests.storm.reload import Reloaded, reload_storm
from tests.storm.site import GATEWAYS, SERVERS, Site, a_site
from tests.waiting import eventually

SECONDS = 1_800.0
SAY_SECONDS = 5.0
PAUSE_SECONDS = 0.02
_CHANNEL = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]
FAULTS = ("Traceback (most recent call last)", "was never retrieved", "internal_error", "accesses_refused")
"""What no process may have in its log, whatever goes away."""
_FROM_LEDGER = (
    "given_up",
    "statuses",
    "refused_after",
    "streams",
    "streams_cut",
    "longest_cut_seconds",
    "events",
    "unanswered",
    "stale",
    "stale_in_outages",
)


def run(size: Size, seed: int, say: Callable[[str], None], keep_logs: Path | None = None) -> Outcome:
    """Runs it all; call it from the main thread."""
    outcome, began = Outcome(seed), time.monotonic()
    with a_site(size.lease_seconds, durable=size.durable, keep_logs=keep_logs) as site:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_Campaign(size, seed, say, site, outcome).run())
        outcome.violations += _faults(site)
    outcome.violated = max(outcome.violated, len(outcome.violations))
    outcome.seconds = time.monotonic() - began
    return outcome


class _Campaign:
    def __init__(self, size: Size, seed: int, say: Callable[[str], None], site: Site, outcome: Outcome) -> None:
        self._size = size
        self._dice = random.Random(seed)  # noqa: S311 - to come again, not to be secret
        self._say = say
        self._site = site
        self._outcome = outcome
        self._ledger = Ledger()
        self._changes = 0
        self._blows = 0

    async def run(self) -> None:
        engine = create_engine(self._site.database_url)
        try:
            async with self._an_office(sessions(engine)) as office:
                await self._furnish(office)
                self._say("everything runs; a reload storm first")
                self._note(await reload_storm(self._site, office, self._size))
                striker = Striker(self._site, office, self._ledger, engine, self._dice)
                began = time.monotonic()
                await self._storm(office, striker)
                self._outcome.storm_seconds = time.monotonic() - began
                for name in self._site.ended():
                    self._ledger.violate(f"{name} has ended by itself")
                self._ledger.settle()
                self._fill(office, striker)
                await self._flush()
                await self._count(office)
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def _an_office(self, make_session: Sessions) -> AsyncIterator[Office]:
        """Starts the gateways; yields those who administer through both servers."""
        gateway = await a_person(make_session, service_account="gateway")
        team = await a_team(make_session)
        self._site.start_gateways([gateway.token] * len(GATEWAYS))
        crowd = Crowd(self._ledger, {name: self._site.address(name) for name in GATEWAYS}, self._dice)
        async with AsyncExitStack() as stack:
            desks = {}
            for server in SERVERS:
                address = "{}:{}".format(*self._site.address(server))
                channel = await stack.enter_async_context(grpc.aio.insecure_channel(address, options=_CHANNEL))
                desks[server] = StatusPageDesk(channel, make_session, team, gateway)
            yield Office(desks, crowd, self._dice, [], [], Counter())

    async def _furnish(self, office: Office) -> None:
        for number in range(self._size.pages):
            page = await office.a_page(number)
            for index in range(self._size.partners):
                await office.a_partner(page, limited=index == 0)

    async def _storm(self, office: Office, striker: Striker) -> None:
        crowd, size = office.crowd, self._size
        async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as everybody:
            for gateway in GATEWAYS:
                for index in range(size.readers):
                    source = SOURCES[index % len(SOURCES)]
                    everybody.create_task(crowd.read(gateway, source))
                for index in range(size.listeners):
                    everybody.create_task(crowd.listen(gateway, SOURCES[index % len(SOURCES)]))
            changing = [everybody.create_task(self._administer(office)) for _ in range(size.administrators)]
            telling = everybody.create_task(self._tell(office))
            await self._strike(crowd, striker)
            await asyncio.wait(changing)
            await _until(lambda: crowd.asked >= size.requests)
            telling.cancel()
            crowd.is_over.set()

    async def _administer(self, office: Office) -> None:
        """Changes one thing after the other, until there were enough and all blows have fallen."""
        size = self._size
        while self._changes < size.changes or self._blows < size.blows:
            if self._changes * size.requests > office.crowd.asked * size.changes:
                await asyncio.sleep(PAUSE_SECONDS)  # changes and requests come to their ends together
                continue
            self._changes += 1
            try:
                await office.change_something()
            except NeverAcknowledged as never:
                self._ledger.violate(f"a change was never acknowledged: {never}")

    async def _strike(self, crowd: Crowd, striker: Striker) -> None:
        """Strikes when so much of the load is under way."""
        for number, blow in enumerate(blows(self._size, self._dice), 1):
            await _until(partial(self._is_under_way, crowd, number / (self._size.blows + 1)))
            await striker.strike(blow)
            self._blows = number
            self._say(f"{number:3} of {self._size.blows}: {blow.value}, after {crowd.asked} requests")

    def _is_under_way(self, crowd: Crowd, part: float) -> bool:
        return crowd.asked >= part * self._size.requests and self._changes >= part * self._size.changes

    async def _tell(self, office: Office) -> None:
        told = 0
        while True:
            await asyncio.sleep(SAY_SECONDS)
            for violation in self._ledger.violations[told:]:
                self._say(f"VIOLATED: {violation}")
            told = len(self._ledger.violations)
            ended, ledger = office.acknowledged["revoked"], self._ledger
            self._say(f"{office.crowd.asked} requests, {ended} revocations, {ledger.violated} violations")

    async def _flush(self) -> None:
        """Ends all that counts, so that it writes what it has counted; one server is needed again."""
        for name in (*GATEWAYS, *SERVERS):
            code = await self._site.stop(name)
            if code != 0:
                self._ledger.violate(f"{name} ended with exit code {code} when it was asked to stop")
        await self._site.revive(SERVERS[0])

    async def _count(self, office: Office) -> None:
        """Compares what is recorded of each token with what its readers have counted."""
        desk, ledger, outcome = office.desks[SERVERS[0]], self._ledger, self._outcome
        recorded: Counter[str] = Counter()
        for partner_id in office.made:
            days = await _accesses(desk, partner_id)
            total = await _total(desk, partner_id)
            if total != days.total():
                ledger.violate(f"partner {partner_id} has {total} accesses, by days and tokens {days.total()}")
            recorded += days
        for prefix in recorded.keys() | ledger.answered.keys():
            found, answered = recorded[prefix], ledger.answered[prefix]
            least, most = answered - ledger.maybe_lost[prefix], answered + ledger.maybe_more[prefix]
            if not least <= found <= most:
                ledger.violate(f"{found} accesses with {prefix}; its readers count {answered}, so {least} to {most}")
            outcome.tokens_off += found != answered
            outcome.accesses_lost += max(0, answered - found)
        outcome.tokens_counted = len(recorded)
        outcome.accesses_recorded, outcome.accesses_answered = recorded.total(), ledger.answered.total()
        outcome.violations, outcome.violated = ledger.violations, ledger.violated

    def _note(self, reloaded: Reloaded) -> None:
        outcome = self._outcome
        outcome.reload_requests, outcome.reload_questions = reloaded.requests, reloaded.questions
        outcome.reload_most = reloaded.most
        if not reloaded.least <= reloaded.questions <= reloaded.most:
            wanted = f"not {reloaded.least} to {reloaded.most}"
            self._ledger.violate(f"{reloaded.requests} reloads were {reloaded.questions} questions, {wanted}")

    def _fill(self, office: Office, striker: Striker) -> None:
        outcome, ledger = self._outcome, self._ledger
        for name in _FROM_LEDGER:
            setattr(outcome, name, getattr(ledger, name))
        outcome.requests, outcome.changes = office.crowd.asked, +office.acknowledged
        outcome.unconfirmed, outcome.longest_change_seconds = office.unconfirmed, office.longest_seconds
        outcome.struck, outcome.waited_for_frozen = striker.struck, striker.waited


async def _until(happened: Callable[[], bool]) -> None:
    async def has_happened() -> bool:
        return happened()

    await eventually(has_happened, within=SECONDS)


async def _accesses(desk: StatusPageDesk, partner_id: str) -> Counter[str]:
    """Answers how often a partner has read, by the prefix of the token."""
    found: Counter[str] = Counter()
    request = pb.ListPartnerAccessRequest(partner_id=partner_id, page_size=500)
    while True:
        page = await desk.partners.ListPartnerAccess(request, metadata=desk.team.observer.metadata)
        for access in page.accesses:
            found[access.token_prefix] += access.access_count
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def _total(desk: StatusPageDesk, partner_id: str) -> int:
    request = pb.GetPartnerRequest(partner_id=partner_id)
    answer = await desk.partners.GetPartner(request, metadata=desk.team.observer.metadata)
    return int(answer.partner.access_count)


def _faults(site: Site) -> Iterator[str]:
    for name in (*SERVERS, *GATEWAYS):
        for line in site.log(name).read_text(errors="replace").splitlines():
            if any(fault in line for fault in FAULTS):
                yield f"{name} logged: {line[:1500]}"
