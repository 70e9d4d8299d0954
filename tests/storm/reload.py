"""Everybody looks at once, because something has just changed: one computation for each audience, not for each request.

What is computed is what servers say in their logs that they were asked: nobody else composes a page.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from oncall.v1.status_page_pb2 import COMPONENT_STATUS_MAJOR_OUTAGE, COMPONENT_STATUS_OPERATIONAL
from tests.storm.administrators import Office
from tests.storm.clients import SOURCES
from tests.storm.http import Connection, Unanswered
from tests.storm.plan import Size
from tests.storm.readers import REPRESENTATIONS, Pass
from tests.storm.site import GATEWAYS, SERVERS, Site

CHANGES = 4
AUDIENCES = 3
MOST_QUESTIONS = 2
"""Of an audience through a gateway, for a change: one that was under way when it came is overtaken, and asked again."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload storm came to."""

    requests: int
    questions: int
    most: int
    least: int


async def reload_storm(site: Site, office: Office, size: Size) -> Reloaded:
    """Lets everybody ask for a page all the time while it changes; raises where an answer is no 200."""
    page = office.pages[0]
    partners = [partner for partner in office.partners if partner.page is page and not partner.limited]
    passes = [partner.passes[0] for partner in partners[:AUDIENCES]]
    desk = office.desks[SERVERS[0]]
    connections = {gateway: _connections(office, gateway, size.reloaders) for gateway in GATEWAYS}
    for gateway in GATEWAYS:  # all are known already
        await _ask(office, gateway, connections[gateway], passes, len(passes))
    before = questions(site)
    asked = 0
    for number in range(CHANGES):
        status = COMPONENT_STATUS_OPERATIONAL if number % 2 else COMPONENT_STATUS_MAJOR_OUTAGE
        share = size.reloads // CHANGES
        storms = [_ask(office, gateway, connections[gateway], passes, share) for gateway in GATEWAYS]
        await asyncio.gather(desk.sets(page.lasting[-1][0], status=status), *storms)
        await asyncio.gather(*(_ask(office, gateway, connections[gateway], passes, share) for gateway in GATEWAYS))
        asked += 2 * share * len(GATEWAYS)
    for connection in (connection for some in connections.values() for connection in some):
        connection.close()
    each = len(GATEWAYS) * len(passes) * CHANGES
    return Reloaded(asked, questions(site) - before, each * MOST_QUESTIONS, 1)


def questions(site: Site) -> int:
    """Answers how often servers have been asked for a page."""
    found = 0
    for server in SERVERS:
        for line in site.log(server).read_text().splitlines():
            if "GetStatusPage" in line and json.loads(line).get("method", "").endswith("PartnerService/GetStatusPage"):
                found += 1
    return found


def _connections(office: Office, gateway: str, number: int) -> list[Connection]:
    return [Connection(office.crowd.addresses[gateway], SOURCES[0]) for _ in range(number)]


async def _ask(
    office: Office, gateway: str, connections: Sequence[Connection], passes: Sequence[Pass], requests: int
) -> None:
    """Asks so often in all, over all connections at the same time."""
    left = iter(range(requests))

    async def some(connection: Connection) -> None:
        for number in left:
            reader, how = passes[number % len(passes)], REPRESENTATIONS[number % 3]
            lines = reader.headers + (f"accept: {how.accept}\r\n" if how.accept else "")
            try:
                answer = await connection.get(f"/status/{reader.page.slug}{how.path}", lines)
            except Unanswered:  # it was idle for too long
                office.crowd.ledger.unknown(reader)
                continue
            assert answer.status == 200, answer
            office.crowd.ledger.admitted(gateway, reader, answer.sent, answer.done)

    await asyncio.gather(*(some(connection) for connection in connections))
