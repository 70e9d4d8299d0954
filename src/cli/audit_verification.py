"""`oncall audit verify`: follows the chain over the whole audit, and believes nothing that the server says of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC
from typing import Annotated

import typer
from google.protobuf import json_format

from cli.connection import Server, connected
from cli.failure import REFUSED, fail
from cli.output import Json, enum_name, note, print_json
from cli.paging import LARGEST_PAGE
from oncall.audit_chain import Break, ChainedEvent, Damage, Link, Verifier
from oncall.v1.audit_event_pb2 import AuditEvent
from oncall.v1.audit_service_pb2 import ListAuditEventsRequest, ListAuditEventsResponse

_HEAD = re.compile(r"(\d{1,18}):([0-9a-fA-F]{64})")
_MEANINGS = {
    Damage.CHANGED: "the event there, or its seal, is not what was sealed",
    Damage.MISSING_ROW: "the event that was sealed there is gone",
    Damage.MISSING_SEAL: "its seal is gone",
    Damage.REORDERED: "what belongs there stands further on",
    Damage.WRONG_HEAD: "the chain is not the one that the expected head was written down from: cut, or sealed anew",
}


def verify(
    expect: Annotated[
        str, typer.Option(metavar="POSITION:HASH", help="A head written down earlier: shows an end that was cut off.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Verify that no event of the audit was changed, removed or moved. For platform admins.

    Every hash is computed again here. Write the head that it prints down where nobody who can change the database can
    change it, too, and give it with --expect the next time. Exit code 1 names the first position that does not hold.

    \b
      oncall audit verify
      oncall audit verify --expect 48211:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    """
    verifier = Verifier(_expected(expect))
    with connected() as server:
        found, last = _follow(server, verifier)
    if as_json:
        print_json(
            {
                "verified": verifier.position,
                "head": _head(verifier),
                "unsealed": last.unsealed,
                "first_bad_position": found.position if found else None,
                "damage": found.damage if found else None,
            }
        )
    elif found is None:
        print(f"{verifier.position:,} events verified")
        print(f"head {_head(verifier)}")
        if last.unsealed:
            note(
                f"{last.unsealed:,} events wait to be sealed, which takes seconds; "
                "if they still do later, no `jobs` runs, or somebody took their seals away"
            )
    if found is not None:
        fail(
            f"the audit does not hold at position {found.position}: {found.damage}: {_MEANINGS[found.damage]}", REFUSED
        )


def _follow(server: Server, verifier: Verifier) -> tuple[Break | None, ListAuditEventsResponse]:
    """Reads and verifies page after page; answers the first break, if any, and the page it ended with."""
    page = ListAuditEventsResponse()
    for page in _pages(server):
        if found := verifier.follow([_link(event) for event in page.audit_events]):
            return found, page
    return verifier.end(page.chain_length), page


def _pages(server: Server) -> Iterator[ListAuditEventsResponse]:
    request = ListAuditEventsRequest(chain_after=0, page_size=LARGEST_PAGE)
    while True:
        page = server.audit.ListAuditEvents(request)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def _link(event: AuditEvent) -> Link:
    seal = event.seal
    return Link(seal.position, seal.previous_hash, seal.hash, _chained(event) if event.HasField("time") else None)


def _chained(event: AuditEvent) -> ChainedEvent:
    return ChainedEvent(
        id=event.id,
        time=event.time.ToDatetime(UTC),
        actor_id=event.actor_id,
        action=event.action,
        team_id=event.team_id,
        resource_type=event.resource_type,
        resource_id=event.resource_id,
        detail=json_format.MessageToDict(event.detail),
        outcome=enum_name(event, "outcome"),
        peer=event.peer,
        request_id=event.request_id,
    )


def _expected(text: str) -> tuple[int, bytes] | None:
    if not text:
        return None
    head = _HEAD.fullmatch(text)
    if head is None or int(head[1]) == 0:
        fail("--expect: give a head as `oncall audit verify` prints it, POSITION:HASH with 64 hexadecimal digits")
    return int(head[1]), bytes.fromhex(head[2])


def _head(verifier: Verifier) -> str:
    return f"{verifier.position}:{verifier.head.hex()}"
