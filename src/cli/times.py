"""Points and lengths of time as people type them: `2030-01-31T08:00`, `90m`, `7d`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from cli.failure import fail
from cli.visible import visible

_SPAN = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def past(option: str, text: str, now: datetime) -> Timestamp | None:
    """Reads a time, in the caller's zone where it names none, or how long ago; None where nothing was typed."""
    return _moment(option, text, now, -1)


def coming(option: str, text: str, now: datetime) -> Timestamp | None:
    """Reads a time as `past` does, or in how long."""
    return _moment(option, text, now, 1)


def span(option: str, text: str) -> timedelta:
    """Reads a length of time."""
    found = _SPAN.fullmatch(text)
    if not found:
        fail(f"{option}: {visible(text)!r} is no length of time: write 30s, 90m, 2h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def to_duration(length: timedelta) -> Duration:
    message = Duration()
    message.FromTimedelta(length)
    return message


def _moment(option: str, text: str, now: datetime, direction: int) -> Timestamp | None:
    if not text:
        return None
    timestamp = Timestamp()
    try:
        if _SPAN.fullmatch(text):
            timestamp.FromDatetime(now + direction * span(option, text))
        else:
            timestamp.FromDatetime(datetime.fromisoformat(text).astimezone(UTC))
    except (ValueError, OverflowError):
        fail(f"{option}: {visible(text)!r} is no time: write 2030-01-31, 2030-01-31T08:00:00+01:00, or 90m, 2h, 7d")
    return timestamp
