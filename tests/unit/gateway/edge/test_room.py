"""How many connections there may be where the system limits open files."""

from __future__ import annotations

import resource

import pytest

from gateway.edge.http_server import OTHER_FILES, room_for

INFINITE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "room", "raised_to"),
    [
        (1_024, INFINITE, 10_000, 11_100),
        (1_024, 524_288, 10_000, 11_100),
        (1_024, 4_096, 3_632, 4_096),
        (20_000, 20_000, 10_000, None),
        (INFINITE, INFINITE, 10_000, None),
        (64, 64, 1, 64),
    ],
)
def test_as_many_as_wanted_or_as_there_may_be_open_files(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, room: int, raised_to: int | None
) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: limits.append(wanted))
    assert room_for(10_000) == room
    assert limits == ([(raised_to, hard)] if raised_to else [])
    if raised_to:
        assert round(room * 1.1) + OTHER_FILES <= max(raised_to, OTHER_FILES + 2)
