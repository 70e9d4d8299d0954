"""Those who read at full speed: requests over connections that stay, and event streams."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from contextlib import aclosing

from tests.storm.http import Address, Answer, Connection, Refused, Unanswered, Unreachable, listen
from tests.storm.ledger import Ledger
from tests.storm.readers import REPRESENTATIONS, WEIGHTS, Pass, Representation

SOURCES = ("127.0.0.1", "127.0.0.2")
"""Addresses that clients come from."""
AGAIN_SECONDS = 0.05
AWAY_SECONDS = 0.5
"""How long a reader stays away who is told that the page cannot be had: it is no storm to ask nobody."""
ORDER_SECONDS = 0.5
"""What comes at the same moment over two connections may be read in either order, even if this process stood still."""
CUT_SECONDS = 30.0
"""While its server is away a gateway hears of nothing, and a stream that stays open says nothing."""
KNOWN_TAGS = 4_000
EVENTS = Representation("/events")


class Crowd:
    """All clients; `live` answers the passes that somebody may read with, `ended` holds those that lately ended."""

    def __init__(self, ledger: Ledger, addresses: dict[str, Address], dice: random.Random) -> None:
        self.ledger = ledger
        self.addresses = addresses
        self.live: list[Pass] = []
        self.ended: deque[Pass] = deque(maxlen=30)
        self.asked = 0
        self.is_over = asyncio.Event()
        self._dice = dice
        self._tags: dict[tuple[int, str], str] = {}
        self._listening: dict[Pass, set[asyncio.Task[None]]] = {}

    async def ask(self, connection: Connection, gateway: str, source: str, reader: Pass, how: Representation) -> int:
        """Sends one request and enters what came of it; answers the status, 0 where there was no answer."""
        tag = self._tags.get((id(reader), how.path))
        headers = reader.headers
        if how.accept:
            headers += f"accept: {how.accept}\r\n"
        if tag and self._dice.random() < 0.4:
            headers += f"if-none-match: {tag}\r\n"
        self.asked += 1
        try:
            answer = await connection.get(f"/status/{reader.page.slug}{how.path}{reader.query}", headers)
        except Unanswered:
            self.ledger.unknown(reader)
            return 0
        self.ledger.enter(gateway, source, reader, how, answer)
        if answer.status == 200:
            if len(self._tags) > KNOWN_TAGS:
                self._tags.clear()
            self._tags[id(reader), how.path] = answer.headers[b"etag"].decode()
        return answer.status

    async def read(self, gateway: str, source: str) -> None:
        """Asks, again and again, as whoever may and as whoever may no longer."""
        connection = Connection(self.addresses[gateway], source)
        try:
            while not self.is_over.is_set():
                reader = self._choose()
                how = self._dice.choices(REPRESENTATIONS, WEIGHTS)[0]
                if reader.query and not how.path:
                    how = REPRESENTATIONS[1]  # a browser's address with a token in it is traded for a session
                try:
                    if await self.ask(connection, gateway, source, reader, how) == 503:
                        await asyncio.sleep(AWAY_SECONDS)
                except Unreachable:
                    await asyncio.sleep(AGAIN_SECONDS)
        finally:
            connection.close()

    async def listen(self, gateway: str, source: str) -> None:
        """Opens one event stream after the other, each until it is cut."""
        while not self.is_over.is_set():
            reader = self._choose()
            stream = asyncio.create_task(self._listen(gateway, source, reader))
            listening = self._listening.setdefault(reader, set())
            listening.add(stream)
            over = asyncio.create_task(self.is_over.wait())
            patience = self._dice.uniform(2, 10)
            await asyncio.wait([stream, over], timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            over.cancel()
            if not reader.ended.newest or self.is_over.is_set():
                stream.cancel()  # else it has to be cut
            await asyncio.wait([stream])
            listening.discard(stream)
            if not listening:
                self._listening.pop(reader, None)
            if not stream.cancelled():
                stream.result()
            await asyncio.sleep(AGAIN_SECONDS)

    async def require_cut(self, reader: Pass) -> None:
        """Wants every event stream of a pass that has ended to end."""
        streams = set(self._listening.get(reader, ()))
        if not streams:
            return
        ended = time.monotonic()
        _, open_ones = await asyncio.wait(streams, timeout=CUT_SECONDS)
        self.ledger.longest_cut_seconds = max(self.ledger.longest_cut_seconds, time.monotonic() - ended)
        for stream in open_ones:
            self.ledger.violate(f"an event stream goes on {CUT_SECONDS:.0f} s after the end of its credential")
            stream.cancel()

    async def _listen(self, gateway: str, source: str, reader: Pass) -> None:
        address, path = self.addresses[gateway], f"/status/{reader.page.slug}{EVENTS.path}{reader.query}"
        answered = False
        try:
            async with aclosing(listen(address, source, path, reader.headers)) as events:
                async for heard in events:
                    answered = True
                    self._heard(gateway, source, reader, heard)
        except Refused as refused:
            answer, what = refused.answer, f"{refused.answer.status} for {EVENTS.path} at {gateway}"
            self.ledger.refused(what, gateway, reader, reader.views(source, answer.sent, answer.done), answer)
        except Unanswered:
            self.ledger.unknown(reader)
        except asyncio.CancelledError:
            if not answered:
                self.ledger.unknown(reader)
            raise
        except Unreachable:
            await asyncio.sleep(AGAIN_SECONDS)

    def _heard(self, gateway: str, source: str, reader: Pass, heard: Answer | str) -> None:
        ledger, now = self.ledger, time.monotonic()
        if isinstance(heard, Answer):
            ledger.opened(gateway, source, reader, heard)
        elif heard == "end":
            ledger.streams_cut += 1
        else:
            ledger.events += 1
            if not reader.views(source, now - ORDER_SECONDS, now).shown:
                ledger.violate(f"an event came from {gateway} after the end of its credential")

    def _choose(self) -> Pass:
        if self.ended and self._dice.random() < 0.1:
            return self._dice.choice(self.ended)
        return self._dice.choice(self.live)


async def probe(crowd: Crowd, reader: Pass, gateways: list[str], dice: random.Random) -> None:
    """Asks every gateway once, at once, on a connection that is new."""

    async def ask(gateway: str) -> None:
        source = dice.choice(SOURCES)
        connection = Connection(crowd.addresses[gateway], source)
        how = dice.choice(REPRESENTATIONS[1:])
        try:
            await crowd.ask(connection, gateway, source, reader, how)
        except Unreachable:
            pass
        finally:
            connection.close()

    await asyncio.gather(*(ask(gateway) for gateway in gateways))
