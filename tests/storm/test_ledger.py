"""The verdict itself: what must never have been answered is found, and nothing else."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime

import pytest

from tests.storm.history import History
from tests.storm.http import Answer
from tests.storm.ledger import Ledger
from tests.storm.readers import REPRESENTATIONS, Page, Partner, Pass, Terms

A, B = "Zx01c000q", "Zx01c001q"
HERE = "127.0.0.1"
SUMMARY, FEED = REPRESENTATIONS[1], REPRESENTATIONS[6]


@pytest.fixture
def reader() -> Pass:
    page = Page("page", "acme", History(frozenset({A, B})), History(True))
    return Pass(page, History(False), Partner("partner", page, History(Terms())), "ocp_one")


def an_answer(status: int = 200, *names: str, sent: float, done: float, **headers: str) -> Answer:
    lines = {name.replace("_", "-").encode(): value.encode() for name, value in {"etag": "one", **headers}.items()}
    return Answer(status, lines, " ".join(names).encode(), sent, done)


def violations(reader: Pass, answer: Answer, *before: Answer, how: object = SUMMARY) -> int:
    ledger = Ledger()
    for one in (*before, answer):
        ledger.enter("gateway-1", HERE, reader, how, one)  # type: ignore[arg-type]
    ledger.settle()
    return ledger.violated


def test_a_history_knows_what_may_have_been_so() -> None:
    history = History("old")
    change = history.begin("new", 10.0)
    assert (history.within(1, 9), history.within(1, 10), history.within(100, 101)) == (
        ["old"],
        ["new", "old"],
        ["new", "old"],
    )
    change.acknowledged = 20.0
    assert (history.within(20, 30), history.within(20.1, 30)) == (["new", "old"], ["new"])
    history.begin("newer", 40.0, 41.0)
    assert history.within(50, 60) == ["newer"]
    assert history.within(-math.inf, 60) == ["newer", "new", "old"]


@pytest.mark.parametrize("status", [200, 304])
def test_an_answer_to_a_request_that_began_after_the_acknowledgement_is_a_violation(reader: Pass, status: int) -> None:
    reader.ended.begin(True, 10.0, 20.0)
    assert violations(reader, an_answer(status, A, B, sent=19.9, done=25.0)) == 0
    assert violations(reader, an_answer(status, A, B, sent=20.1, done=20.2)) == 1
    assert violations(reader, an_answer(403, sent=20.1, done=20.2)) == 0


def test_a_refusal_of_who_was_good_all_the_time_is_a_violation(reader: Pass) -> None:
    reader.ended.begin(True, 10.0, 20.0)
    assert violations(reader, an_answer(403, sent=1.0, done=9.0)) == 1
    assert violations(reader, an_answer(403, sent=1.0, done=10.5)) == 0
    assert violations(reader, an_answer(429, sent=1.0, done=9.0)) == 1


def test_a_component_outside_of_the_scope_is_a_violation_in_each_representation(reader: Pass) -> None:
    assert reader.partner
    reader.partner.terms.begin(Terms(scope=frozenset({A})), 10.0, 20.0)
    for how in (SUMMARY, FEED):
        assert violations(reader, an_answer(200, A, B, sent=15.0, done=16.0), how=how) == 0
        assert violations(reader, an_answer(200, A, sent=21.0, done=22.0), how=how) == 0
        assert violations(reader, an_answer(200, A, B, sent=21.0, done=22.0), how=how) == 1
    assert violations(reader, an_answer(200, sent=21.0, done=22.0), how=FEED) == 0
    assert violations(reader, an_answer(200, sent=21.0, done=22.0)) == 1  # a summary names all that there is


def test_not_modified_stands_for_the_body_that_its_tag_belongs_to(reader: Pass) -> None:
    assert reader.partner
    reader.partner.terms.begin(Terms(scope=frozenset({A})), 10.0, 20.0)
    before = an_answer(200, A, B, sent=1.0, done=2.0)
    assert violations(reader, an_answer(304, sent=21.0, done=22.0), before) == 1


def test_an_address_that_is_not_allowed_is_refused(reader: Pass) -> None:
    assert reader.partner
    reader.partner.terms.begin(Terms(sources=frozenset({"127.0.0.2"})), 10.0, 20.0)
    assert violations(reader, an_answer(200, A, B, sent=21.0, done=22.0)) == 1


def test_unavailable_is_a_violation_unless_the_server_was_killed_or_took_too_long(reader: Pass) -> None:
    assert violations(reader, an_answer(503, sent=1.0, done=1.5)) == 1
    assert violations(reader, an_answer(500, sent=1.0, done=9.0)) == 1
    assert violations(reader, an_answer(503, sent=1.0, done=1.5), an_answer(503, sent=0.0, done=2.1)) == 0
    ledger, now = Ledger(), time.monotonic()
    with ledger.outage("gateway-1"):
        ledger.enter("gateway-1", HERE, reader, SUMMARY, an_answer(503, sent=now, done=now + 0.1))
        ledger.enter("gateway-2", HERE, reader, SUMMARY, an_answer(503, sent=now, done=now + 0.1))
    ledger.settle()
    assert ledger.violated == 1


def test_a_page_with_its_age_may_be_shown_in_an_outage_if_it_held_then(reader: Pass) -> None:
    now = time.monotonic()
    reader.ended.begin(True, now - 50.0, now - 40.0)
    for age, expected in ((60, 0), (10, 1)):
        since = datetime.fromtimestamp(time.time() - age, UTC)
        answer = an_answer(sent=now, done=now + 0.1, oncall_stale_since=f"{since:%Y-%m-%dT%H:%M:%SZ}")
        answer = answer._replace(body=f"{A} {B}".encode())
        ledger = Ledger()
        with ledger.outage("gateway-1"):
            ledger.enter("gateway-1", HERE, reader, SUMMARY, answer)
        assert ledger.violated == expected
        assert violations(reader, answer) == 1  # while all runs, no age explains it


def test_an_event_stream_is_opened_for_whom_a_page_could_be_shown(reader: Pass) -> None:
    now = time.monotonic()
    reader.ended.begin(True, now - 50.0, now - 40.0)
    for age, out, expected in ((None, False, 1), (None, True, 1), (60, False, 1), (60, True, 0), (10, True, 1)):
        since = (
            {} if age is None else {"oncall_stale_since": f"{datetime.fromtimestamp(time.time() - age, UTC):%FT%TZ}"}
        )
        ledger = Ledger()
        with ledger.outage("gateway-1" if out else "gateway-2"):
            ledger.opened("gateway-1", HERE, reader, an_answer(sent=now, done=now + 0.1, **since))
        assert (ledger.violated, ledger.answered["ocp_one"]) == (expected, 1)


def test_accesses_are_counted_and_what_a_killed_gateway_held_may_be_lost(reader: Pass) -> None:
    ledger = Ledger()
    for at in (1.0, 95.0, 99.0):
        ledger.enter("gateway-1", HERE, reader, SUMMARY, an_answer(200, A, B, sent=at, done=at))
    ledger.enter("gateway-1", HERE, reader, SUMMARY, an_answer(403, sent=99.0, done=99.0))
    ledger.lose_lately("gateway-1")
    ledger.lose_lately("gateway-2")
    assert ledger.answered == {"ocp_one": 3}
    assert ledger.maybe_lost == {"ocp_one": 2}
    assert not ledger.maybe_more


def test_what_lay_in_a_socket_when_its_gateway_was_killed_may_be_lost_and_what_was_asked_later_not(
    reader: Pass,
) -> None:
    ledger = Ledger()
    before = time.monotonic()
    ledger.lose_lately("gateway-1")
    after = time.monotonic()
    for gateway in ("gateway-1", "gateway-2"):
        ledger.enter(gateway, HERE, reader, SUMMARY, an_answer(200, A, B, sent=before, done=after))
        ledger.enter(gateway, HERE, reader, SUMMARY, an_answer(200, A, B, sent=after + 1.0, done=after + 2.0))
    assert ledger.answered == {"ocp_one": 4}
    assert ledger.maybe_lost == {"ocp_one": 1}


def test_a_refusal_is_no_access_and_a_broken_connection_may_be_one(reader: Pass) -> None:
    ledger = Ledger()
    reader.ended.begin(True, 10.0, 20.0)
    ledger.enter("gateway-1", HERE, reader, SUMMARY, an_answer(403, sent=9.0, done=12.0))
    assert not ledger.maybe_more
    ledger.unknown(reader)
    assert ledger.maybe_more == {"ocp_one": 1}
