"""The ring of recent events that all watchers of an execution share."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from kernel.execution.event import Event, Output, OutputStream, StateChanged
from server.operations.followed_log import BATCH_EVENTS, RING_BYTES, FollowedLog

AT = datetime(2026, 1, 1, tzinfo=UTC)


def an_output(sequence: int, data: bytes = b"x") -> Event:
    return Event(sequence, AT, Output(OutputStream.STDOUT, 1, 0, data))


def _from_zero() -> FollowedLog:
    log = FollowedLog()
    assert log.start_at(0, ended=False)
    return log


@given(st.lists(st.integers(1, 30), max_size=100), st.randoms())
def test_whatever_is_heard_in_whatever_order_the_ring_is_contiguous(heard: list[int], chance: random.Random) -> None:
    log = _from_zero()
    while heard:
        count = chance.randint(1, len(heard))
        log.admit([an_output(sequence) for sequence in heard[:count]])
        heard = heard[count:]
    assert log.tail is not None
    for after in range(log.tail):
        assert [event.sequence for event in log.after(after)] == list(range(after + 1, log.tail + 1))
    assert log.after(log.tail) == []


def test_a_hole_is_told() -> None:
    log = _from_zero()
    assert log.admit([an_output(1)])
    assert log.admit([an_output(1)])
    assert not log.admit([an_output(3)])
    assert log.tail == 1


def test_what_is_heard_before_the_database_answers_is_kept() -> None:
    log = FollowedLog()
    log.admit([an_output(4), an_output(5)])
    assert log.tail is None
    assert log.start_at(4, ended=False)
    assert (log.tail, [event.sequence for event in log.after(4)]) == (5, [5])


def test_a_hole_between_the_database_and_what_was_heard_is_told() -> None:
    log = FollowedLog()
    log.admit([an_output(5)])
    assert not log.start_at(3, ended=False)


def test_the_ring_is_bounded_and_what_fell_out_is_not_answered() -> None:
    log = _from_zero()
    log.admit([an_output(sequence, b"x" * 65536) for sequence in range(1, 101)])
    assert sum(event.size for event in log._ring) <= RING_BYTES
    assert log.after(0) == []
    assert [event.sequence for event in log.after(99)] == [100]


def test_a_batch_is_bounded() -> None:
    log = _from_zero()
    log.admit([an_output(sequence) for sequence in range(1, 200)])
    assert len(log.after(0)) == BATCH_EVENTS


def test_the_terminal_snapshot_is_the_end() -> None:
    log = _from_zero()
    log.admit([Event(1, AT, StateChanged({"status": "RUNNING"}))])
    assert log.end is None
    log.admit([Event(2, AT, StateChanged({"status": "FAILED"}))])
    assert log.end == 2
