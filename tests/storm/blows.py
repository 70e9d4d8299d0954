"""What is done to the site while everybody reads and administrators take away, one blow after the other."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.storm.administrators import PATIENCE_SECONDS, Office
from tests.storm.clients import SOURCES, Crowd
from tests.storm.http import Connection, Unanswered, Unreachable
from tests.storm.ledger import Ledger
from tests.storm.plan import Blow
from tests.storm.readers import REPRESENTATIONS
from tests.storm.site import BEHIND, GATEWAYS, SERVERS, Site
from tests.waiting import eventually

AWAY_SECONDS = (0.2, 1.5)
WARM_SECONDS = 20.0
CUT = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND query = 'SELECT 1'"
)
"""The connections that LISTEN; nothing else in the platform asks just that."""


@dataclass(slots=True)
class Striker:
    """Strikes, and notes what became of it."""

    site: Site
    office: Office
    ledger: Ledger
    engine: AsyncEngine
    dice: random.Random
    struck: Counter[str] = field(default_factory=Counter)
    waited: list[float] = field(default_factory=list)
    """How long revocations waited for a gateway that was frozen, in seconds."""

    async def strike(self, blow: Blow) -> None:
        """Returns once all runs again."""
        strikes: dict[Blow, Callable[[], Awaitable[None]]] = {
            Blow.REDIS_KILLED: self._kill_redis,
            Blow.LISTENERS_CUT: self._cut_listeners,
            Blow.GATEWAY_FROZEN: self._freeze_gateway,
            Blow.GATEWAY_RESTARTED: self._restart_gateway,
            Blow.GATEWAY_KILLED: self._kill_gateway,
            Blow.SERVER_KILLED: self._kill_server,
        }
        await strikes[blow]()
        self.struck[blow.value] += 1

    async def _kill_redis(self) -> None:
        self.site.kill("redis")
        await self._pause()
        await self.site.revive("redis")

    async def _cut_listeners(self) -> None:
        async with self.engine.connect() as connection:
            cut = await connection.scalar(CUT)
        if cut != len(SERVERS):
            self.ledger.violate(f"there were {cut} connections that LISTEN")

    async def _freeze_gateway(self) -> None:
        """Revokes a partner whom a gateway answers from what it keeps, while that gateway is frozen.

        The acknowledgement comes when that gateway's lease has run out. What is asked from then on waits in its socket,
        and must be refused when it wakes, without a moment to hear of anything.
        """
        office, gateway = self.office, self.dice.choice(GATEWAYS)
        partner = await office.a_partner(self.dice.choice(office.pages))
        partner.busy = True
        reader, how, source = partner.passes[0], REPRESENTATIONS[1], SOURCES[0]
        connections = [Connection(office.crowd.addresses[gateway], source) for _ in range(4)]
        try:
            for connection in connections:
                await office.crowd.ask(connection, gateway, source, reader, how)
            self.site.freeze(gateway)
            frozen = time.monotonic()
            early = asyncio.create_task(_quietly(office.crowd, connections[0], gateway, source, reader, how))
            revocation = asyncio.create_task(office.revoke(partner, self.dice.choice(SERVERS)))

            async def acknowledged() -> bool:
                now = time.monotonic()
                return all(terms.ended for terms in partner.terms.within(now, now))

            await eventually(acknowledged, within=PATIENCE_SECONDS)
            late = [
                asyncio.create_task(_quietly(office.crowd, connection, gateway, source, reader, how))
                for connection in connections[1:]
            ]
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # so that they are sent
            self.waited.append(time.monotonic() - frozen)
        finally:
            self.site.thaw(gateway)
        await asyncio.gather(early, *late)
        await revocation
        for connection in connections:
            connection.close()

    async def _restart_gateway(self) -> None:
        gateway = self.dice.choice(GATEWAYS)
        code = await self.site.stop(gateway)
        if code != 0:
            self.ledger.violate(f"{gateway} ended with exit code {code} when it was asked to stop")
        await self.site.revive(gateway)

    async def _kill_gateway(self) -> None:
        gateway = self.dice.choice(GATEWAYS)
        self.site.kill(gateway)
        self.ledger.lose_lately(gateway)
        await self.site.revive(gateway)

    async def _kill_server(self) -> None:
        gateway, server = self.dice.choice(list(BEHIND.items()))
        with self.ledger.outage(gateway):
            self.site.kill(server)
            await self._pause()
            await self.site.revive(server)
            await self._answers_fresh(gateway)

    async def _answers_fresh(self, gateway: str) -> None:
        """Returns once a gateway has found its server again."""
        connection = Connection(self.office.crowd.addresses[gateway], SOURCES[0])

        async def ready() -> bool:
            try:
                return (await connection.get("/readyz")).status == 200
            except (Unanswered, Unreachable):
                return False

        await eventually(ready, within=WARM_SECONDS)
        connection.close()

    async def _pause(self) -> None:
        await asyncio.sleep(self.dice.uniform(*AWAY_SECONDS))


async def _quietly(crowd: Crowd, *request: object) -> None:
    with suppress(Unreachable):
        await crowd.ask(*request)  # type: ignore[arg-type]
