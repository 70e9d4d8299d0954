"""Everything at random: no answer after a confirmed revocation, none of the keep beyond the lease, none outdated."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.asked import Asked, Credential, CredentialKind
from gateway.keep.calls import ServerAway
from gateway.keep.keeper import Keeper
from gateway.refusal import Refusal, forbidden
from gateway.shown import Shown
from oncall.v1 import partner_service_pb2 as pb
from tests.unit.gateway.keep.scripted_server import PAGE, HeldClock, Known, ScriptedServer

LEASE = 10.0
PARTNERS = ["a", "b", "c"]


class HeldCalls:
    """The calls without a channel: each answer is computed when it is asked for, and arrives when the model says so."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self.gate = asyncio.Event()

    async def show(self, request: pb.GetStatusPageRequest, _: float) -> pb.GetStatusPageResponse:
        server = self.server
        server.asked.append(request)
        if server.away:
            raise ServerAway("away")
        known = server.credentials[request.partner_token]
        refused, answer = known.refused, server._answer(request, known)
        await self.gate.wait()
        if refused:
            raise forbidden(refused)
        return answer


@dataclass
class Flying:
    """A request that goes on, and what was so before it began: the gateway knew, or the revoker had an answer."""

    name: str
    known_revoked: bool
    confirmed_revoked: bool
    task: asyncio.Task[Shown]


class KeepMachine(RuleBasedStateMachine):
    """Requests go on while the world changes; the keeper hears of changes in order, but late."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.held = HeldClock()
        self.server = ScriptedServer(clock=self.held.clock())
        self.server.credentials = {name: Known(f"partner-{name}", f"token-{name}") for name in PARTNERS}
        self.calls = HeldCalls(self.server)
        self.keeper = Keeper(self.calls, clock=self.server.clock)  # type: ignore[arg-type]
        self.untold: list[pb.StatusPageChange] = []
        self.revoked: set[str] = set()
        self.confirmed: set[str] = set()
        self.title_known = self.server.title
        self.told: set[str] = set()
        self.flying: list[Flying] = []
        self.watched_until = float("-inf")

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def settle(self) -> None:
        async def turns() -> None:
            for _ in range(30):
                await asyncio.sleep(0)

        self.run(turns())

    @rule()
    def a_stream_begins(self) -> None:
        self.keeper.shelf.lease.opened()
        self.untold.clear()
        self.confirmed = set(self.revoked)  # the server waits for no watch that is over
        self.title_known = self.server.title
        self.renewal()

    @precondition(lambda self: self.keeper.shelf.lease.epoch)
    @rule()
    def renewal(self) -> None:
        if self.server.away:
            return
        now = self.server.clock.elapsed()
        self.keeper.shelf.lease.renewed(now, LEASE)
        self.watched_until = now + LEASE

    @rule()
    def the_stream_is_lost(self) -> None:
        self.keeper.shelf.lease.lost()
        self.watched_until = float("-inf")

    @rule(seconds=st.sampled_from([1.0, 4.0, 10.0, 400.0]))
    def time_passes(self, seconds: float) -> None:
        self.held.ahead += seconds

    @rule(away=st.booleans())
    def the_server_goes_or_comes(self, away: bool) -> None:
        self.server.away = away

    @rule(word=st.sampled_from(["x", "y", "z"]))
    def the_page_changes(self, word: str) -> None:
        self.server.title = f"{word} {self.server.version}"
        self.changed()

    @rule(name=st.sampled_from(PARTNERS))
    def a_partner_is_revoked(self, name: str) -> None:
        self.server.credentials[name].refused = "PARTNER_REVOKED"
        self.revoked.add(name)
        self.changed(confirm=True, revoked_partner_ids=[f"partner-{name}"])

    def changed(self, **fields: Any) -> None:
        self.server.version += 1
        change = pb.StatusPageChange(status_page_id=PAGE, page_version=self.server.version, **fields)
        self.untold.append(change)

    @precondition(lambda self: self.untold)
    @rule()
    def a_change_is_told(self) -> None:
        change = self.untold.pop(0)
        self.run(self.keeper.apply(change))
        named = {partner.removeprefix("partner-") for partner in change.revoked_partner_ids}
        self.told |= named
        self.confirmed |= named
        if not self.untold:
            self.title_known = self.server.title

    @rule(name=st.sampled_from(PARTNERS), address=st.sampled_from(["192.0.2.1", "192.0.2.2"]))
    def a_request_begins(self, name: str, address: str) -> None:
        asked = Asked("acme", Credential(CredentialKind.PARTNER_TOKEN, name), address, "")

        async def begin() -> asyncio.Task[Shown]:
            task = asyncio.ensure_future(self.keeper.show(asked))
            await asyncio.sleep(0)
            return task

        def questions() -> int:
            return [(request.partner_token, request.client_ip) for request in self.server.asked].count((name, address))

        before, known, confirmed = questions(), name in self.told, name in self.confirmed
        task = self.run(begin())
        self.flying.append(Flying(name, known, confirmed, task))
        if task.done() and not task.exception():
            shown = task.result()
            assert questions() == before
            assert self.server.clock.elapsed() < self.watched_until, "from the keep, beyond the lease"
            assert shown.tag == f"tag of {self.title_known}" or self.untold, "from the keep, out of date"

    @precondition(lambda self: self.flying)
    @rule()
    def answers_arrive(self) -> None:
        self.calls.gate.set()
        self.settle()
        self.calls.gate.clear()

    @precondition(lambda self: self.flying)
    @rule(number=st.integers(0, 5))
    def a_client_leaves(self, number: int) -> None:
        self.flying.pop(number % len(self.flying)).task.cancel()
        self.settle()

    @invariant()
    def nobody_who_came_after_the_confirmation_is_answered(self) -> None:
        for one in [one for one in self.flying if one.task.done()]:
            error = one.task.exception()
            assert error is None or isinstance(error, Refusal)
            assert error or not one.known_revoked, f"{one.name} was answered by a gateway that knew"
            if not error and one.confirmed_revoked:
                assert one.task.result().stale_since, f"{one.name} was answered after the confirmation"
        self.flying = [one for one in self.flying if not one.task.done()]

    def teardown(self) -> None:
        for one in self.flying:
            one.task.cancel()
        self.calls.gate.set()
        self.settle()
        with contextlib.suppress(asyncio.CancelledError):
            self.run(self.keeper._questions.close())
        self.loop.close()


TestKeepModel = KeepMachine.TestCase
TestKeepModel.settings = settings(
    max_examples=60, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
