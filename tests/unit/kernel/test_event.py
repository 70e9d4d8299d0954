"""Events survive the frame that carries them."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from kernel.execution.event import Event, Output, OutputStream, StateChanged, Truncated, decode_events, encode_events

STREAMS = st.sampled_from(OutputStream)
NUMBERS = st.integers(0, 2**40)
PAYLOADS = st.one_of(
    st.builds(Output, STREAMS, st.integers(1, 4), NUMBERS, st.binary(max_size=300)),
    st.builds(Truncated, STREAMS, st.integers(1, 4), NUMBERS),
    st.builds(
        StateChanged,
        st.dictionaries(st.text(max_size=8), st.one_of(st.none(), st.text(max_size=20), st.integers())),
        st.lists(st.text(max_size=20), max_size=2).map(tuple),
    ),
)
EVENTS = st.builds(Event, st.integers(1, 2**53), st.datetimes(timezones=st.just(UTC)), PAYLOADS)


@given(st.lists(EVENTS, max_size=6))
def test_what_was_framed_is_read_back(events: list[Event]) -> None:
    assert decode_events(encode_events(events)) == events


def test_output_is_not_in_the_representation_of_an_event() -> None:
    event = Event(1, datetime.now(UTC), Output(OutputStream.STDOUT, 1, 0, b"hunter2"))

    assert "hunter2" not in repr(event)
