"""The chain over the audit: its form is the contract's to the byte, and every kind of damage has its name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from oncall.audit_chain import ORIGIN, Break, ChainedEvent, Damage, Link, Verifier, seal

EVENT = ChainedEvent(
    id=7,
    time=datetime(2030, 1, 2, 3, 4, 5, 60, tzinfo=UTC),
    actor_id="0199c3a1",
    action="runbook.approved",
    team_id="",
    resource_type="runbook",
    resource_id="r-1",
    detail={"version": 2, "digest": "ab", "note": 'grün "q" \n', "last": None, "ok": True},
    outcome="DONE",
    peer="2001:db8::7",
    request_id="",
)
CANONICAL = (
    '{"action":"runbook.approved","actor_id":"0199c3a1","detail":{"digest":"ab","last":null,"note":"grün \\"q\\" \\n",'
    '"ok":true,"version":2},"id":7,"outcome":"DONE","peer":"2001:db8::7","position":3,"request_id":"",'
    '"resource_id":"r-1","resource_type":"runbook","team_id":"","time":"2030-01-02T03:04:05.000060Z"}'
)


def _chain(length: int = 9) -> list[Link]:
    return list(seal(0, ORIGIN, (replace(EVENT, id=10 * n) for n in range(1, length + 1))))


def test_the_canonical_form_is_the_contracts_to_the_byte() -> None:
    assert EVENT.canonical(3).decode() == CANONICAL
    assert EVENT.hash(3, ORIGIN) == hashlib.sha256(bytes(32) + CANONICAL.encode()).digest()


def test_one_moment_has_one_form_whatever_the_time_zone() -> None:
    elsewhere = EVENT.time.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert replace(EVENT, time=elsewhere).canonical(3) == EVENT.canonical(3)


VALUES = st.none() | st.booleans() | st.text() | st.integers(-(2**60), 2**60) | st.floats(-1e18, 1e18)


@given(st.dictionaries(st.text(), VALUES))
def test_a_detail_has_one_form_before_and_after_its_trip_through_protobuf(detail: dict[str, object]) -> None:
    struct = Struct()
    struct.update(detail)
    travelled = replace(EVENT, detail=MessageToDict(struct))
    stored = replace(EVENT, detail=json.loads(json.dumps(detail)))
    assert travelled.canonical(1) == stored.canonical(1)


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_a_sound_chain_is_followed_to_its_head_in_pages_of_any_size(size: int) -> None:
    links, verifier = _chain(), Verifier()
    for start in range(0, len(links), size):
        assert verifier.follow(links[start : start + size]) is None
    assert verifier.end(9) is None
    assert (verifier.position, verifier.head) == (9, links[-1].hash)


def test_a_chain_goes_on_where_it_ended() -> None:
    links = _chain(4)
    more = list(seal(4, links[-1].hash, [replace(EVENT, id=3)]))  # a late commit has a smaller id
    assert Verifier().follow([*links, *more]) is None


def _change(links: list[Link]) -> None:
    event = links[4].event
    assert event is not None
    links[4] = replace(links[4], event=replace(event, actor_id="somebody else"))


def _lose_row(links: list[Link]) -> None:
    links[4] = replace(links[4], event=None)


def _lose_seal(links: list[Link]) -> None:
    del links[4]


def _swap_rows(links: list[Link]) -> None:
    links[4], links[6] = replace(links[4], event=links[6].event), replace(links[6], event=links[4].event)


def _swap_seals(links: list[Link]) -> None:
    links[4], links[6] = replace(links[6], position=5), replace(links[4], position=7)


def _forge_seal(links: list[Link]) -> None:
    links[4] = replace(links[4], hash=bytes(32))


def _forge_link(links: list[Link]) -> None:
    links[4] = replace(links[4], previous_hash=bytes(32))


@pytest.mark.parametrize(
    ("tamper", "damage"),
    [
        (_change, Damage.CHANGED),
        (_forge_seal, Damage.CHANGED),
        (_forge_link, Damage.CHANGED),
        (_lose_row, Damage.MISSING_ROW),
        (_lose_seal, Damage.MISSING_SEAL),
        (_swap_rows, Damage.REORDERED),
        (_swap_seals, Damage.REORDERED),
    ],
)
def test_the_first_bad_place_is_named(tamper: Callable[[list[Link]], None], damage: Damage) -> None:
    links = _chain()
    tamper(links)
    verifier = Verifier()
    assert verifier.follow(links) == Break(5, damage)
    assert verifier.position == 4


def test_a_chain_that_was_cut_or_sealed_anew_shows_against_a_head_written_down() -> None:
    links = _chain()
    written_down = (7, links[6].hash)
    assert Verifier(written_down).follow(links) is None

    cut = Verifier(written_down)
    assert cut.follow(links[:6]) is None
    assert cut.end(6) == Break(7, Damage.WRONG_HEAD)

    events = [link.event for link in links if link.event]
    events[2] = replace(events[2], actor_id="somebody else")
    anew = list(seal(0, ORIGIN, events))
    assert Verifier().follow(anew) is None
    assert Verifier(written_down).follow(anew) == Break(7, Damage.WRONG_HEAD)


def test_a_server_that_hides_the_end_of_a_longer_chain_is_found_out() -> None:
    verifier = Verifier()
    assert verifier.follow(_chain(4)) is None
    assert verifier.end(9) == Break(5, Damage.MISSING_SEAL)
