"""When a delivery is tried again, and what becomes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.delivery import (
    DEAD,
    DELIVERED,
    PENDING,
    HeaderValue,
    NotificationEvent,
    Tone,
    WebhookRequest,
    pause,
    shortened,
    storable,
    tone_of,
)
from server.domain.delivery_attempt import Attempt, Outcome, failed, outcome

NOW = datetime(2030, 1, 1, tzinfo=UTC)
WRONG = failed("HTTP status 503")


def becomes(attempt: Attempt, *, tries: int = 1, give_up_at: datetime | None = None) -> Outcome:
    return outcome(attempt, tries=tries, limit=10, jitter=0, now=NOW, give_up_at=give_up_at)


def test_pauses_double_up_to_an_hour() -> None:
    seconds = [pause(tries, 0).total_seconds() for tries in range(1, 13)]
    assert seconds == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_jitter_takes_off_at_most_half(tries: int, jitter: float) -> None:
    assert pause(tries, 0) / 2 <= pause(tries, jitter) <= pause(tries, 0) <= timedelta(hours=1)


def test_a_receiver_may_ask_for_more_time_and_not_for_less_or_for_ever() -> None:
    assert pause(1, 0, retry_after=timedelta(minutes=2)) == timedelta(minutes=2)
    assert pause(1, 0, retry_after=timedelta(seconds=1)) == timedelta(seconds=5)
    assert pause(1, 0, retry_after=timedelta(days=400)) == timedelta(hours=6)


def test_what_failed_is_tried_again_until_the_last_try() -> None:
    assert becomes(WRONG, tries=9) == Outcome(PENDING, pause(9, 0))
    assert becomes(WRONG, tries=10) == Outcome(DEAD)
    assert becomes(Attempt(), tries=10) == Outcome(DELIVERED)


def test_what_no_try_can_help_is_given_up_at_once() -> None:
    assert becomes(failed("no", final=True)) == Outcome(DEAD)


def test_nothing_is_tried_after_it_was_to_be_given_up() -> None:
    assert becomes(WRONG, give_up_at=NOW + timedelta(seconds=6)).status is PENDING
    assert becomes(WRONG, give_up_at=NOW + timedelta(seconds=5)).status is DEAD


def test_a_request_is_kept_as_it_was_and_its_secrets_only_by_name() -> None:
    request = WebhookRequest(
        "https://example.org/x", {"a": [1, None]}, "PUT", {"authorization": HeaderValue("Bearer ", secret="TOKEN")}
    )
    assert WebhookRequest.from_json(request.as_json()) == request


@pytest.mark.parametrize(("text", "kept"), [("a\x00b", "ab"), ("a\ud800b", "a?b"), ("é" * 5, "éé…"), ("ééé", "ééé")])
def test_what_cannot_be_stored_is_left_out_or_cut(text: str, kept: str) -> None:
    assert storable(text, 3) == shortened(kept, 3)


def test_every_event_has_a_tone_and_what_is_said_after_the_end_wakes_nobody() -> None:
    tones = {event: tone_of(event, over=False) for event in NotificationEvent}
    assert {event for event, tone in tones.items() if tone is Tone.GOOD} == {NotificationEvent.INCIDENT_RESOLVED}
    assert tones[NotificationEvent.INCIDENT_CREATED] is Tone.BAD
    assert tones[NotificationEvent.TEST] is Tone.NEUTRAL
    assert tone_of(NotificationEvent.INCIDENT_UPDATED, over=True) is Tone.GOOD
    assert tone_of(NotificationEvent.EXECUTION_FAILED, over=True) is Tone.BAD
