"""Where the gateway listens."""

from __future__ import annotations

import pytest

from gateway.listener import bind, spelled, split_address


@pytest.mark.parametrize(
    ("address", "parts"),
    [("127.0.0.1:7480", ("127.0.0.1", 7480)), ("[::1]:0", ("::1", 0)), ("localhost:80", ("localhost", 80))],
)
def test_an_address_is_host_and_port(address: str, parts: tuple[str, int]) -> None:
    assert split_address(address) == parts


@pytest.mark.parametrize("address", ["", "7480", ":7480", "host:", "host:x", "host:70000", "host:-1", "host:²"])
def test_anything_else_is_none(address: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        split_address(address)


def test_port_0_picks_a_free_one_and_says_which() -> None:
    with bind("127.0.0.1:0") as listener:
        assert spelled(listener) == f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_port_is_never_shared() -> None:
    with bind("127.0.0.1:0") as listener, pytest.raises(OSError, match="in use"):
        bind(spelled(listener))
